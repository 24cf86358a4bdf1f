from studies.parser.rare_words import RarityRow, by_rarest_word

TRAINING = ["a red ball"] * 40 + ["a blue ball"] * 5 + ["a kite"]


def test_captions_are_grouped_by_their_rarest_word():
    captions = ["a red ball", "A red BALL!", "a blue ball", "a kite", "a dolphin", "a red dolphin"]
    rows = by_rarest_word(TRAINING, captions, [True, False, True, False, True, False])
    assert rows == [
        RarityRow("never", 2, 0.5),
        RarityRow("1 or 2", 1, 0.0),
        RarityRow("3 to 9", 1, 1.0),
        RarityRow("30 or more", 2, 0.5),
    ]


def test_a_caption_without_words_has_no_rare_one():
    assert by_rarest_word(TRAINING, ["123"], [True]) == [RarityRow("30 or more", 1, 1.0)]

"""Words for the temporal captions that train the parser: who and what there is, what they do, and where."""

from __future__ import annotations

from dataclasses import dataclass


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in text.split())


#: Class of nouns -> nouns. A class decides which verbs a noun takes and which pronoun stands for it.
NOUNS: dict[str, tuple[str, ...]] = {
    "male": _words(
        "man boy father grandfather king uncle prince monk waiter gentleman businessman groom brother cowboy"
    ),
    "female": _words(
        "woman girl mother grandmother queen aunt princess nun waitress lady actress bride sister ballerina"
    ),
    "person": _words(
        """
        child kid teenager toddler baby person tourist teacher student doctor nurse chef cook baker farmer gardener
        driver cyclist runner swimmer skater dancer singer drummer painter plumber mechanic carpenter builder soldier
        sailor pilot police_officer firefighter athlete gymnast boxer goalkeeper football_player tennis_player golfer
        fisherman hiker climber photographer barber tailor clown magician juggler musician guitarist violinist pianist
        shopkeeper cashier librarian postman scientist astronaut diver surfer skier wrestler hunter jogger worker
        neighbor stranger traveler
        """
    ),
    "animal": _words(
        """
        dog cat puppy kitten horse pony donkey cow calf sheep goat pig rabbit squirrel mouse rat fox wolf bear deer
        lion tiger leopard elephant giraffe zebra monkey gorilla panda koala kangaroo camel otter beaver hedgehog
        turtle lizard snake frog crocodile duckling hamster raccoon lamb bull
        """
    ),
    "bird": _words("bird eagle hawk owl crow parrot pigeon seagull duck goose swan hen rooster penguin sparrow heron"),
    "vehicle": _words(
        """
        car truck bus van taxi tractor train tram motorcycle scooter bicycle ambulance fire_truck police_car race_car
        pickup_truck delivery_van school_bus boat ferry ship sailboat canoe plane helicopter drone bulldozer crane
        """
    ),
    "object": _words(
        """
        ball box cube block bottle cup mug plate bowl vase book newspaper letter envelope phone laptop camera key coin
        hat umbrella basket bucket suitcase backpack bag toy doll kite balloon rope stick stone brick hammer shovel
        chair stool lamp candle clock mirror pillow blanket towel jar can barrel ring necklace tray parcel package
        notebook wallet teddy_bear soccer_ball tennis_ball frisbee paper_plane sphere cone cylinder pot pan spoon
        """
    ),
    "food": _words(
        """
        apple banana orange lemon pear peach tomato potato onion carrot cucumber pepper mushroom egg cheese bread
        sandwich pizza cake pie pancake steak sausage fish chicken salad soup cookie melon pumpkin cabbage burger
        """
    ),
    "openable": _words("door gate window drawer cupboard garage_door fridge curtain lid chest suitcase trunk"),
    "fixture": _words(
        """
        light traffic_light street_light screen sign machine fan engine wheel elevator fountain windmill robot
        television radio oven washing_machine bell siren flag tower statue wall fence tree branch flower bridge tent
        """
    ),
    "weather": _words(
        "rain snow wind hail thunder lightning fog mist storm sun moon cloud smoke steam water wave fire"
    ),
    "group": _words("family crowd team audience couple class choir orchestra band crew group company herd pack"),
}
#: Nouns that name a thing more closely: "garden gate".
MODIFIERS = _words(
    """
    garden kitchen church school village street office hotel station bathroom bedroom harbor castle factory farm market
    museum hospital winter summer morning party water fire ice steam paper glass metal wood stone
    """
)
#: Things that belong to whoever uses them: said with "his", "her", "its", "their".
OWN: dict[str, tuple[str, ...]] = {
    "person": _words("hand head arm finger hat coat jacket scarf helmet glove shoe boot bag backpack"),
    "animal": _words("tail head ear paw leg eye"),
}
#: Class -> pronouns (subject, object, possessive).
PRONOUNS: dict[str, tuple[str, str, str]] = {
    "male": ("he", "him", "his"),
    "female": ("she", "her", "her"),
    "plural": ("they", "them", "their"),
    "thing": ("it", "it", "its"),
}
#: Which class of noun stands for which others, when a verb or a place asks for it.
HUMAN = ("male", "female", "person")
BEAST = ("animal", "bird")
THING = ("object", "food", "openable", "fixture", "vehicle")

PLACES: dict[str, tuple[str, ...]] = {
    "ground": _words(
        """
        street road bridge field beach lawn meadow parking_lot playground courtyard sidewalk stage ice snow sand grass
        square garden hill roof rug carpet yard farm track court
        """
    ),
    "inside": _words(
        """
        kitchen house garage barn bedroom office classroom hallway shop supermarket museum church restaurant library
        station tunnel forest cave park stadium tent warehouse lake pool river pond water hall
        """
    ),
    "landmark": _words(
        """
        tree house fence wall bench fountain statue tower gate tent rock bush lamp_post car bus sofa chair bed shelf
        box ladder counter window door mailbox haystack pole
        """
    ),
    "slope": _words("hill stairs slope ladder ramp mountain path staircase"),
}
#: (preposition, class of place, direction): how something moves, and how something stays.
PATHS: tuple[tuple[str, str, str | None], ...] = (
    ("across", "ground", None),
    ("over", "ground", None),
    ("along", "ground", None),
    ("onto", "ground", None),
    ("off", "ground", None),
    ("through", "inside", None),
    ("into", "inside", None),
    ("out of", "inside", None),
    ("past", "landmark", None),
    ("to", "landmark", None),
    ("toward", "landmark", "toward"),
    ("towards", "landmark", "toward"),
    ("away from", "landmark", "away"),
    ("around", "landmark", "around"),
    ("behind", "landmark", None),
    ("under", "landmark", None),
    ("over", "landmark", None),
    ("from", "landmark", None),
    ("up", "slope", "up"),
    ("down", "slope", "down"),
)
SPOTS: tuple[tuple[str, str], ...] = (
    ("on", "ground"),
    ("in", "inside"),
    ("at", "landmark"),
    ("near", "landmark"),
    ("behind", "landmark"),
    ("in front of", "landmark"),
    ("next to", "landmark"),
    ("beside", "landmark"),
    ("under", "landmark"),
    ("by", "landmark"),
)
#: What anything can do.
ANYTHING = _words(
    "stop vanish disappear fall leave move spin shake turn rise sink stay roll appear explode shrink grow"
)
#: What captions of videos start with that is no part of what is seen.
OPENINGS = (
    "a video of", "a clip of", "footage of", "a shot of", "a close-up of", "a timelapse of", "a drone shot of",
    "slow motion footage of", "an animation of", "a scene of", "a recording of",
)  # fmt: skip
#: Verbs of the beginning: present, present of several, past, and the form of the verb that follows.
BEGINNINGS = (
    ("begins to", "begin to", "began to", "base"),
    ("starts to", "start to", "started to", "base"),
    ("starts", "start", "started", "gerund"),
)
DIRECTED = (
    ("left", "left"),
    ("to the left", "left"),
    ("right", "right"),
    ("to the right", "right"),
    ("up", "up"),
    ("upward", "up"),
    ("down", "down"),
    ("downward", "down"),
    ("away", "away"),
    ("around", "around"),
    ("closer", "toward"),
    ("toward the camera", "toward"),
)

#: Class of nouns -> verbs of movement, which take a path or a direction.
MOVES: dict[str, tuple[str, ...]] = {
    "human": _words(
        """
        walk run jog sprint march stroll wander stagger crawl rush hurry dash tiptoe limp stumble jump leap hike step
        skip swim climb dance roll race
        """
    ),
    "animal": _words("run walk trot gallop hop leap jump scurry crawl swim prowl dart wander dash charge sneak"),
    "bird": _words("fly hop glide swoop soar dive run walk flutter waddle swim"),
    "vehicle": _words("drive roll speed race move cruise skid swerve turn reverse glide travel slide rush"),
    "object": _words("roll slide fall bounce tumble drift float spin swing drop move fly slip"),
    "food": _words("roll fall slide drop bounce tumble float"),
    "openable": _words("swing slide move"),
    "fixture": _words("fall move spin lean tip swing"),
    "weather": _words("drift move spread float rise"),
}
#: Class of nouns -> verbs that need nothing.
ACTS: dict[str, tuple[str, ...]] = {
    "human": _words(
        """
        smile laugh sing dance sit stand kneel cough yawn sneeze sleep pray cheer clap nod shout whistle wave stretch
        shiver rest wait bow cry blink faint scream whisper talk listen pause stop leave arrive read write
        """
    ),
    "animal": _words(
        "bark growl howl purr roar yawn sleep rest shiver stretch graze hiss sit stop wait eat drink jump"
    ),
    "bird": _words("sing chirp land sleep rest eat drink flap squawk stop"),
    "vehicle": _words("stop accelerate brake start crash break wait park honk arrive leave depart sink explode"),
    "object": _words(
        "break crack burst explode shatter vibrate collapse sink fall disappear vanish appear tip spin shake"
    ),
    "food": _words("burn cook sizzle rot fall freeze melt"),
    "openable": _words("open close creak slam shut rattle"),
    "fixture": _words("stop start shake collapse vibrate flicker glow shine blink flash hum buzz fall"),
}
#: The same, of verbs that look like nouns: "the bell rings".
NAMESAKES: dict[str, tuple[str, ...]] = {
    "human": _words(
        """
        laugh giggle grin frown blush sigh pose gesture squat lunge crouch turn twirl pivot salute march sprint jog
        stroll trot stumble trip lunch camp fish hunt shop sail ski surf row dive float play work train exercise box
        fence race travel cook hike climb rest nap dream chat whisper shout scream yell sob gasp pant sweat tremble
        shudder limp pause dance walk run swim cheer wave bow nod wink smile cough sneeze snack jump
        """
    ),
    "animal": _words("pant paw stalk circle nest rear roll howl bark growl hunt play run jump trot snort stretch"),
    "bird": _words("nest perch peck circle dive swoop land play hop call"),
    "vehicle": _words("turn brake skid stall swerve dock land lift hover circle crash honk beep stop park roll race"),
    "object": _words(
        """
        crack snap bend burn smoke glow rust float swing rock tilt wobble bounce ring tick beep click buzz hum pop
        rattle
        """
    ),
    "food": _words("burn steam smoke brown crack roll dry cool smell"),
    "openable": _words("swing slam click squeak rattle crack stick"),
    "fixture": _words(
        "ring chime toll beep click whistle flash dim spin turn stop shake crack drip leak swing start hum"
    ),
}
WEATHER: dict[str, tuple[str, ...]] = {
    "rain": _words("fall pour stop start"),
    "snow": _words("fall melt drift"),
    "wind": _words("blow howl stop rise"),
    "hail": _words("fall stop"),
    "thunder": _words("rumble boom roll"),
    "lightning": _words("flash strike"),
    "fog": _words("lift roll spread"),
    "mist": _words("rise spread lift"),
    "storm": _words("pass begin rage end"),
    "sun": _words("rise set shine appear"),
    "moon": _words("rise shine set appear"),
    "cloud": _words("drift gather pass disappear"),
    "smoke": _words("rise drift spread"),
    "steam": _words("rise escape"),
    "water": _words("flow boil freeze splash"),
    "wave": _words("crash break rise"),
    "fire": _words("burn spread crackle die"),
}


@dataclass(frozen=True)
class Action:
    """A verb with an object.

    Attributes:
        lemma: of the verb.
        particle: of a phrasal verb ("picks up the ball", "picks it up").
        direction: what the particle says of movement.
    """

    lemma: str
    particle: str = ""
    direction: str | None = None


def _actions(text: str) -> tuple[Action, ...]:
    actions = []
    for word in text.split():
        lemma, _, particle = word.partition("_")
        literal = lemma in ("lift", "pull", "push", "throw", "carry", "toss") and particle in ("up", "down", "away")
        actions.append(Action(lemma, particle, particle if literal else None))
    return tuple(actions)


#: Who -> what -> verbs.
ACTIONS: dict[str, dict[str, tuple[Action, ...]]] = {
    "human": {
        "object": _actions(
            """
            take hold lift carry drop throw catch push pull kick roll shake wash clean paint wipe polish break grab
            touch move fix hide find lose bring buy open close fill empty toss drag inspect wrap unwrap raise lower
            pick_up put_down pick_up put_down turn_over knock_over throw_away set_down lift_up pull_out hold_up put_away
            kick_away push_down push_away pull_up carry_away take_out
            """
        ),
        "food": _actions(
            """
            eat cut slice peel chop cook fry boil wash taste bake grate serve drop throw carry bite smell
            pick_up cut_up put_down throw_away take_out
            """
        ),
        "openable": _actions("open close lock unlock push pull shut open close paint clean"),
        "fixture": _actions("paint clean repair touch push climb fix turn_on turn_off watch build hit inspect"),
        "vehicle": _actions("drive park wash repair push stop start enter leave paint board load"),
        "human": _actions(
            "hug follow chase watch greet push pull call help kiss lift pass photograph meet wake_up pick_up"
        ),
        "animal": _actions("feed stroke chase watch follow lead wash pet brush hold carry catch train call pick_up"),
        "bird": _actions("feed watch chase catch release hold photograph"),
        "person": _actions("raise lower wash wave shake"),
    },
    "animal": {
        "object": _actions("sniff bite drop carry drag push chase touch lick bury knock_over pick_up"),
        "food": _actions("eat sniff bite drop steal lick"),
        "human": _actions("follow chase lick watch bite push"),
        "animal": _actions("chase follow bite lick watch sniff push"),
        "bird": _actions("chase watch catch follow"),
        "animal_own": _actions("shake lift raise lower lick scratch"),
    },
    "bird": {
        "food": _actions("eat drop carry steal grab"),
        "object": _actions("drop carry grab lift"),
        "animal": _actions("follow watch chase"),
    },
    "vehicle": {
        "vehicle": _actions("pass hit follow tow push overtake block"),
        "fixture": _actions("hit pass knock_over"),
        "human": _actions("pass follow splash"),
    },
    "object": {"object": _actions("hit touch push knock_over"), "fixture": _actions("hit touch strike")},
}
#: The same, of verbs that look like nouns.
NAMESAKE_ACTIONS: dict[str, dict[str, tuple[Action, ...]]] = {
    "human": {
        "object": _actions(
            """
            tap ring pat rub scratch squeeze twist bend fold press dust stack pile pack hand pass place hang hook tie
            tape glue nail pin button label mark stamp sketch trace measure weigh test check scan swing flip spin toss
            bounce balance juggle tilt tip rock slide plug wind pluck play pound hammer drill file screw clamp seal
            mail trade box light paint brush comb oil polish display book copy show turn ring
        """
        ),
        "food": _actions(
            """
            butter salt season stir whisk mix pour scoop spread toast grill roast steam freeze mash crush dip coat
            glaze slice dice taste smell sample plate cook bite
        """
        ),
        "openable": _actions("slam lock latch bolt paint bar tape lift jam block"),
        "fixture": _actions(
            "ring light dim switch test start stop turn knock oil kick tap plant trim water guard point film"
        ),
        "vehicle": _actions("park tow race board load rent wax charter charge dock land brake sail crash film"),
        "human": _actions(
            "hug kiss tickle pat tap point guard tackle box film coach train tip back help thank greet shove nudge"
        ),
        "animal": _actions("pet pat brush groom walk train cage ride saddle film leash guard herd milk"),
        "bird": _actions("feed cage train film ring release net"),
    },
    "animal": {
        "object": _actions("paw claw guard nose tip circle smell bite chew"),
        "food": _actions("smell bite chew guard nibble taste swallow"),
        "human": _actions("guard nose paw circle stalk smell greet back"),
        "animal": _actions("stalk circle guard nose herd hunt paw smell"),
        "bird": _actions("stalk hunt circle flush"),
    },
    "bird": {
        "food": _actions("peck swallow"),
        "object": _actions("peck tap circle drop"),
        "animal": _actions("circle dodge mob"),
    },
    "vehicle": {
        "vehicle": _actions("ram pass tow trail block follow"),
        "fixture": _actions("ram clip hit pass scrape circle"),
        "human": _actions("pass trail dodge splash"),
    },
    "object": {
        "object": _actions("tap hit scratch dent graze knock"),
        "fixture": _actions("tap hit scratch graze dent"),
    },
}
#: Verb -> what it is done with.
TOOLS: dict[str, tuple[str, ...]] = {
    "cut": _words("knife saw"),
    "slice": _words("knife"),
    "chop": _words("knife axe"),
    "peel": _words("knife peeler"),
    "paint": _words("brush roller"),
    "wipe": _words("cloth towel sponge"),
    "clean": _words("cloth sponge brush broom"),
    "wash": _words("sponge hose brush"),
    "hit": _words("hammer stick bat racket"),
    "break": _words("hammer rock"),
    "touch": _words("finger stick"),
    "lift": _words("crane rope"),
    "pull": _words("rope chain"),
    "fix": _words("screwdriver wrench hammer"),
    "repair": _words("wrench screwdriver"),
    "catch": _words("net"),
    "open": _words("key crowbar knife"),
    "eat": _words("fork spoon"),
    "push": _words("stick broom"),
    "drag": _words("rope chain"),
    "fill": _words("hose bucket"),
    "polish": _words("cloth"),
}
RECEIVED = ("throw", "bring", "carry", "roll", "kick", "drag", "toss", "serve")

ADJECTIVES: dict[str, tuple[str, ...]] = {
    "color": _words("red blue green yellow black white brown grey gray orange pink purple silver golden"),
    "size": _words("small big large tiny huge little tall short long"),
    "material": _words("wooden metal plastic glass leather stone paper steel"),
    "other": _words("old young new heavy strange lonely elegant cheap fancy"),
    "state": _words("wet dry dirty clean broken frozen dusty rusty open empty"),
    "texture": _words("striped fluffy rough smooth"),
}
#: States of people and animals.
MOODS = _words("wet dirty tired happy angry sleepy hungry sad calm nervous scared excited bored")
#: Class of nouns -> kinds of adjective.
LOOKS: dict[str, tuple[str, ...]] = {
    "human": ("size", "other", "state"),
    "animal": ("color", "size", "other", "state", "texture"),
    "bird": ("color", "size", "other"),
    "vehicle": ("color", "color", "size", "other", "state"),
    "object": ("color", "color", "size", "material", "other", "state", "texture"),
    "food": ("color", "size"),
    "openable": ("color", "size", "material", "other"),
    "fixture": ("color", "size", "other"),
    "weather": (),
}
#: Pairs of states between which things go, either way; by class of noun.
OPPOSITES: dict[str, tuple[tuple[str, str], ...]] = {
    "object": (
        ("full", "empty"),
        ("dry", "wet"),
        ("clean", "dirty"),
        ("hot", "cold"),
        ("flat", "round"),
        ("soft", "hard"),
    ),
    "food": (("raw", "cooked"), ("hot", "cold"), ("hard", "soft"), ("fresh", "rotten"), ("crisp", "soggy")),
    "human": (("happy", "sad"), ("calm", "angry"), ("awake", "sleepy"), ("awake", "asleep"), ("quiet", "loud")),
    "animal": (
        ("calm", "wild"),
        ("dry", "wet"),
        ("clean", "dirty"),
        ("awake", "sleepy"),
        ("awake", "asleep"),
        ("quiet", "restless"),
    ),
    "fixture": (("bright", "dark"), ("dry", "wet"), ("clean", "rusty"), ("loud", "silent"), ("dim", "bright")),
    "vehicle": (("clean", "dirty"), ("full", "empty"), ("fast", "slow"), ("shiny", "rusty")),
}
SIZES = (("small", "big"), ("tiny", "huge"), ("short", "long"), ("little", "large"), ("thin", "thick"))
#: Size -> what is said of that which becomes it by degrees.
COMPARATIVES = {
    "small": "smaller",
    "big": "bigger",
    "tiny": "smaller",
    "huge": "larger",
    "short": "shorter",
    "long": "longer",
    "little": "smaller",
    "large": "larger",
    "thin": "thinner",
    "thick": "thicker",
}
MANNERS = _words(
    """
    slowly quickly gently suddenly carefully quietly happily angrily calmly nervously gracefully smoothly loudly rapidly
    """
)
TIMES = (
    "twice", "twice", "repeatedly", "again and again", "over and over", "three times", "four times", "five times",
    "several times", "many times", "once more",
)  # fmt: skip

#: Nouns that have no plural here, and take no "a".
MASS = _words(
    "rain snow wind hail thunder lightning fog mist smoke steam water fire cheese bread salad soup fish ice sand grass"
)

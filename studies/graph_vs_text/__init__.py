"""What a scene graph brings beside text: the same small videos by six networks that are told of them in other ways."""

"""The sentence that every page, file and answer of the therapy side carries."""

NOTICE = "For bench work, teaching and research; not a cleared medical device."

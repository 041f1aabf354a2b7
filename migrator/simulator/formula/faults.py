"""What is wrong with a formula."""


class FormulaFault(ValueError):  # noqa: N818 - the formula is at fault, and people read it so
    """A formula that cannot be; the text says what, in the platform's words where they are known."""

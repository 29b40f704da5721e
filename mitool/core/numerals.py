"""How a share of counted things is written: never as all, or as none, where it is not."""

MOST_DIGITS = 6


def share(value: float, digits: int = 0) -> str:
    """A share in percent, to as many decimals, or to more where it would be rounded to 100 % or to
    0 % and is neither: 0.99996 is 99.996%, not 100.00%.
    """
    for more in range(digits, MOST_DIGITS):
        text = f"{value:z.{more}%}"
        if value in (0, 1) or float(text[:-1]) not in (0, 100):
            return text
    return f"{value:z.{MOST_DIGITS}%}"

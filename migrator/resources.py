"""Where the files that travel with the product are: JSON Schemas and example plans.

In a checkout they lie at the top level of the repository; in an installed wheel, inside the package.
"""

from pathlib import Path

_PACKAGE = Path(__file__).parent
_SHIPPED = _PACKAGE / "_shipped"
_CHECKOUT = _PACKAGE.parent


def resource(*parts: str) -> Path:
    """The path of a shipped file or folder, e.g. `resource("schemas", "plan.schema.json")`."""
    shipped = _SHIPPED.joinpath(*parts)
    return shipped if shipped.exists() else _CHECKOUT.joinpath(*parts)

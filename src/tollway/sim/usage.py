"""Usage objects as JSON text: the true one, and every way a control asks to misreport it.

Text, not numbers: a cost is reported digit for digit, also one that no float can hold.
"""

from collections.abc import Callable, Mapping
from typing import Final

from tollway.sim.control import Control, UsageMode
from tollway.sim.models import ScriptedModel, Tally, list_price, price_text

_TEMPLATE: Final = (
    '{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{total},"cost":{cost},"is_byok":false,'
    '"prompt_tokens_details":{{"cached_tokens":{cached}}},'
    '"completion_tokens_details":{{"reasoning_tokens":{reasoning}}},'
    '"cost_details":{{"upstream_inference_cost":{cost}}}}}'
)
_SPELLINGS: Final[Mapping[UsageMode, Callable[[str], str]]] = {
    UsageMode.NEGATIVE: lambda number: f"-{number}",
    UsageMode.FLOAT: lambda number: number if "." in number else f"{number}.5",
    UsageMode.STRING: lambda number: f'"{number}"',
    UsageMode.HUGE: lambda number: "1".ljust(30 + len(number), "0"),
}


def usage_text(model: ScriptedModel, tally: Tally, control: Control) -> str:
    """The usage that an answer reports for these tokens, as JSON; `null` in mode `null`."""
    if control.usage is UsageMode.NULL:
        return "null"
    spell = _SPELLINGS.get(control.usage, str) if control.usage else str
    price = price_text(list_price(model, tally))
    return _TEMPLATE.format(
        prompt=spell(str(tally.prompt)),
        completion=spell(str(tally.completion)),
        total=spell(str(tally.prompt + tally.completion)),
        cached=spell(str(tally.cached)),
        reasoning=spell(str(tally.reasoning)),
        cost=spell(price) if control.cost is None else control.cost,
    )

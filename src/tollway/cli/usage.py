"""`tollway usage`: what users and organizations used, in sums."""

from typing import Annotated

import typer

from tollway.admin.ownership import find_owner
from tollway.admin.usage import GROUPS_MAX, Grouping, UsageFilter, UsedSum, check_filter, check_span, csv_text
from tollway.cli import arguments
from tollway.cli.database import Administration, administer
from tollway.cli.output import write_json, write_table
from tollway.errors import Problem
from tollway.identity.owned import OwnerKind
from tollway.storage.sql.admin.usage import SqlUsageListing

_COLUMNS = ("requests", "errors", "prompt_tokens", "completion_tokens", "cached_tokens", "cost_microdollars")
_GROUPS = {Grouping.DAY: "day", Grouping.MODEL: "model", Grouping.MEMBER: "user_id", Grouping.KEY: "key_id"}


def usage(
    user: arguments.OfUser = None,
    organization: arguments.OfOrganization = None,
    by: Annotated[list[Grouping] | None, typer.Option("--by", help="Group; may be given several times.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Date; 30 days ago.", metavar="WHEN")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Date; now.", metavar="WHEN")] = None,
    model: Annotated[str | None, typer.Option(help="Of this model alone.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: arguments.AsJson = False,
) -> None:
    """Show what a user or an organization used, newest day first, then what cost most."""
    groups = tuple(by or (Grouping.DAY,))
    begin = None if since is None else arguments.read_instant(since)
    end = None if until is None else arguments.read_instant(until)

    async def work(admin: Administration) -> tuple[UsedSum, ...] | Problem:
        owner = await find_owner(admin.store, user, organization)
        span, refused = check_span(begin, end, admin.now), check_filter("model", model)
        for problem in (owner, span, refused):
            if isinstance(problem, Problem):
                return problem
        assert not isinstance(owner, Problem)
        assert not isinstance(span, Problem)
        is_user = owner.kind is OwnerKind.USER
        wanted = UsageFilter(*span, owner.id if is_user else None, None if is_user else owner.id, is_user, model)
        return await SqlUsageListing(admin.database).sum_usage(wanted, groups, GROUPS_MAX, 0)

    found = administer(work)
    if as_csv:
        typer.echo(csv_text(found, UsedSum), nl=False)
    elif as_json:
        write_json(found)
    else:
        columns = [_GROUPS[one] for one in Grouping if one in groups]
        write_table(found, (*columns, *_COLUMNS), "There was no usage.")

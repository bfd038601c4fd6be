"""Options of `tollway orgs set`."""

from typing import Annotated

import typer

Plan = Annotated[str | None, typer.Option(help="teams or enterprise.")]
RequireSeats = Annotated[
    bool | None,
    typer.Option("--require-seats/--no-require-seats", help="Paid by seat: members' daily limits do not count."),
]
ModelList = Annotated[
    str | None, typer.Option(help="Models (vendor/name) and namespaces (vendor/*), by commas; or none.", metavar="LIST")
]
ProviderList = Annotated[str | None, typer.Option(help="Inference providers, by commas; or none.", metavar="LIST")]
Name = Annotated[str | None, typer.Option(help="Another name.")]
DataCollection = Annotated[str | None, typer.Option(help="allow, deny, or none: callers decide.", metavar="TEXT")]
DefaultModel = Annotated[str | None, typer.Option(help="What members' clients begin with, or none.", metavar="MODEL")]
PromptPrefixDays = Annotated[
    str | None,
    typer.Option(help="Keep the first 100 characters of prompts for so many days, or none.", metavar="DAYS"),
]
RequestLogDays = Annotated[
    str | None,
    typer.Option(help="Keep requests and answers, word for word, for so many days, or none.", metavar="DAYS"),
]
MinimumBalance = Annotated[str | None, typer.Option(help="USD below which somebody is told, or none.", metavar="USD")]
AlertEmail = Annotated[str | None, typer.Option(help="Who is told, by commas; or none.", metavar="LIST")]
CodeIndexing = Annotated[
    bool | None, typer.Option("--code-indexing/--no-code-indexing", help="What members' clients are told of it.")
]

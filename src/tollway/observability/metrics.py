"""Counters and gauges. Those that every request moves are tallies, which cost it less than a microsecond in all."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from tollway.observability.bounds import Bounds
from tollway.observability.tally import LabelledTally, Spread, Tally

_SYNC_BUCKETS_S: Final = (0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 1)
_LATENCY_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)


class FreeUseMetrics:
    """Of the windows in which free use is counted."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.fallbacks = Counter(
            "tollway_window_fallbacks", "Decisions about free use made without Redis.", registry=registry
        )
        self.addresses = Gauge(
            "tollway_free_addresses", "Client addresses whose free use this worker counts.", registry=registry
        )


class CatalogMetrics:
    """Of the catalog's snapshots, and of what reads and writes them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.age = Gauge("tollway_catalog_age_seconds", "Age of the snapshot that is served.", registry=registry)
        self.snapshot = Gauge("tollway_catalog_snapshot", "Id of the snapshot that is served.", registry=registry)
        self.models = Gauge("tollway_catalog_models", "Models in the public list.", registry=registry)
        self.providers = Gauge("tollway_catalog_providers", "Providers in the snapshot.", registry=registry)
        self.mirrored = Gauge("tollway_catalog_mirror_snapshot", "Id of the last one mirrored.", registry=registry)
        self.runs = Counter("tollway_catalog_syncs", "Runs of the sync, by outcome.", ["outcome"], registry=registry)
        self.dropped = Counter(
            "tollway_catalog_dropped", "Entries of sources that could not be read.", ["reason"], registry=registry
        )
        self.left_out = Gauge(
            "tollway_catalog_left_out",
            "Entries not listed, because clients trip over them.",
            registry=registry,
        )
        self.mirror_failures = Counter(
            "tollway_catalog_mirror_failures", "Writes to the mirror that failed.", registry=registry
        )
        self.mirror_misses = Counter(
            "tollway_catalog_mirror_misses", "Copies in the mirror that could not be used.", registry=registry
        )


class AbuseMetrics:
    """Of questions to the abuse service."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.verdicts = Counter(
            "tollway_abuse_verdicts", "Verdicts of the abuse service; advisory.", ["verdict"], registry=registry
        )
        self.failures = Counter(
            "tollway_abuse_failures",
            "Questions the abuse service did not answer, or was not asked; their requests went on.",
            ["kind"],
            registry=registry,
        )
        self.reports = Counter("tollway_abuse_reports", "Cost reports that the abuse service took.", registry=registry)


class ObservationMetrics:
    """Of records of requests, alerts and first-usage events."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.waiting = Gauge(
            "tollway_api_metrics_waiting", "Records of requests not yet kept.", ["sink"], registry=registry
        )
        self.dropped = Counter("tollway_api_metrics_dropped", "Records of requests lost.", ["sink"], registry=registry)
        self.alerts = Counter("tollway_alerts", "Alerts that somebody was told of.", registry=registry)
        self.alert_failures = Counter(
            "tollway_alert_failures", "Counts and notifications of alerts that failed.", registry=registry
        )
        self.first_usages = Counter("tollway_first_usages", "First-usage events sent.", registry=registry)
        self.first_usages_lost = Counter(
            "tollway_first_usages_lost", "Settlements whose first-usage events could not be noted.", registry=registry
        )


class Metrics:
    """All metrics of one worker, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        requests = LabelledTally(
            "tollway_requests", "Requests that ended, by HTTP status sent.", "status", self.registry
        )
        refusals = LabelledTally("tollway_refusals", "Requests refused, by error code.", "code", self.registry)
        self.count_request: Callable[[int], None] = requests.inc
        self.count_refusal: Callable[[str], None] = refusals.inc
        self.bounds = Bounds(self.registry)
        self.forwarded_addresses = Tally(
            "tollway_forwarded_addresses",
            "Requests whose client's address was looked for in X-Forwarded-For.",
            self.registry,
        )
        self._attempts = Counter(
            "tollway_upstream_failures", "Failed attempts at an upstream.", ["upstream", "kind"], registry=self.registry
        )
        self.open_breakers = Gauge(
            "tollway_open_breakers", "Upstreams left alone for a model because they fail.", registry=self.registry
        )
        self.duration = Spread(
            "tollway_request_seconds",
            "From the first byte of a request to the end of its answer.",
            _LATENCY_BUCKETS_S,
            self.registry,
        )
        self.in_flight = Gauge("tollway_in_flight", "Requests under way.", registry=self.registry)
        self.connections = Gauge("tollway_connections", "Open client connections.", registry=self.registry)
        self._add_money()
        self.drains = Gauge(
            "tollway_drains", "Answers read to their end for a client that left.", registry=self.registry
        )
        self.free_use = FreeUseMetrics(self.registry)
        self.catalog = CatalogMetrics(self.registry)
        self.observation = ObservationMetrics(self.registry)
        self.unusable_secrets = Counter(
            "tollway_unusable_secrets",
            "Requests refused because what their owner stored cannot be used.",
            registry=self.registry,
        )
        self.abuse = AbuseMetrics(self.registry)
        self.dropped_transcripts = Counter(
            "tollway_dropped_transcripts",
            "Requests to be kept with their answers that could not be.",
            registry=self.registry,
        )
        self.dropped_log_lines = Counter("tollway_dropped_log_lines", "Log lines dropped.", registry=self.registry)

    def _add_money(self) -> None:
        self.charged = Tally("tollway_charged_microdollars", "Charged to callers.", self.registry)
        self.absorbed = Tally("tollway_absorbed_microdollars", "Borne by the operator.", self.registry)
        self.given_away = Tally(
            "tollway_given_away_microdollars",
            "What requests of anonymous callers were worth: borne by the operator, and in no books.",
            self.registry,
        )
        self.price_differences = Tally(
            "tollway_price_differences", "Answers whose reported cost differs from list price.", self.registry
        )
        self.unsettled = Gauge(
            "tollway_unsettled", "Ended requests whose charge is not in the database yet.", registry=self.registry
        )
        self.unsettled_amount = Gauge(
            "tollway_unsettled_microdollars", "Charges that are not in the database yet.", registry=self.registry
        )
        self.journal_lag = Gauge(
            "tollway_journal_lag_seconds", "Age of the oldest ended request not yet settled.", registry=self.registry
        )
        self.journal_sync = Histogram(
            "tollway_journal_sync_seconds",
            "One fsync of the journal, shared by all requests that ended meanwhile.",
            registry=self.registry,
            buckets=_SYNC_BUCKETS_S,
        )
        self.journal_bytes = Gauge("tollway_journal_bytes", "Journal on disk.", registry=self.registry)
        self.journal_failures = Gauge("tollway_journal_failures", "Refused writes and syncs.", registry=self.registry)
        self.set_aside = Gauge(
            "tollway_set_aside_files", "Parts of journals that an operator has to look at.", registry=self.registry
        )
        self.differences = Gauge(
            "tollway_books_differences", "What did not balance when the books were last read.", registry=self.registry
        )
        self.open_holds = Gauge(
            "tollway_open_holds", "Requests opened and not yet settled or released.", registry=self.registry
        )
        self.leased = Gauge(
            "tollway_leased_microdollars",
            "Leased by this worker: free, held by open requests, used by ended ones not settled yet.",
            ["part"],
            registry=self.registry,
        )

    def count_upstream_failure(self, upstream: str, kind: str) -> None:
        self._attempts.labels(upstream=upstream, kind=kind).inc()

    def render(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self.registry)

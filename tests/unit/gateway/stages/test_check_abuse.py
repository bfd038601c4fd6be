import asyncio

from tollway.gateway.abuse_checks import AbuseChecks
from tollway.gateway.stages import check_abuse
from tollway.http.background import Background
from tollway.observability.metrics import Metrics
from tollway.settings import AbuseSettings
from unit.gateway.fakes import Clock, services
from unit.gateway.test_abuse_checks import Service, verdict
from unit.gateway.test_abuse_questions import asked


def test_without_a_service_nothing_is_asked() -> None:
    assert check_abuse.run(asked(), services()) is None


def test_the_question_goes_its_own_way() -> None:
    async def scenario() -> None:
        service, background = Service(verdict()), Background()
        checks = AbuseChecks(AbuseSettings(), service, background.start, Clock(), Metrics().abuse)
        inquiry = check_abuse.run(asked(), services(abuse=checks))
        assert inquiry is not None
        assert (inquiry.request_id, service.asked) == ("request-1", 0)
        await background.stop()
        assert service.asked == 1
        assert inquiry.verdict is not None

    asyncio.run(scenario())

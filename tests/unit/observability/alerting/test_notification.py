import json

from tollway.observability.alerting.evaluation import Breach, Count, Group
from tollway.observability.alerting.notification import message_of
from tollway.observability.alerting.rules import WINDOWS, Promise

GROUP = Group("openai", "a/b", "kilo-gateway")


def test_a_page_about_errors() -> None:
    assert message_of(Breach(WINDOWS[0], Promise("a/b", 0.999, 10), GROUP, Count(123_456, 2469))) == {
        "text": ":rotating_light: PAGE — LLM Error Rate SLO Breach",
        "blocks": [
            {
                "type": "header",
                "text": {
                    "type": "plain_text",
                    "text": ":rotating_light: PAGE — LLM Error Rate SLO Breach",
                    "emoji": True,
                },
            },
            {
                "type": "section",
                "fields": [
                    {"type": "mrkdwn", "text": "*Provider:*\nopenai"},
                    {"type": "mrkdwn", "text": "*Model:*\na/b"},
                    {"type": "mrkdwn", "text": "*Burn rate:*\n20.0x (threshold: 14.4x)"},
                    {"type": "mrkdwn", "text": "*Window:*\n5 min"},
                ],
            },
            {
                "type": "section",
                "text": {
                    "type": "mrkdwn",
                    "text": "Error rate: 2.00% (SLO: 99.90%)\nRequests in window: 123,456\nClient: kilo-gateway",
                },
            },
        ],
    }


def test_a_ticket_about_slowness() -> None:
    message = message_of(Breach(WINDOWS[2], Promise("a/b", 0.95, 10, 3000), GROUP, Count(100, 12)))
    text = json.dumps(message, ensure_ascii=False)
    assert message["text"] == ":ticket: TICKET — LLM TTFB Latency SLO Breach"
    assert "12.00% of requests exceeded 3000ms TTFB (budget: 5.00%)" in text
    assert "2.4x (threshold: 1x)" in text


def test_a_name_speaks_no_markup() -> None:
    """Records are received, and name what they like."""
    group = Group("<!channel>", "<http://evil|a>&", "<@U1>")
    text = json.dumps(message_of(Breach(WINDOWS[0], Promise("m", 0.9, 1), group, Count(1, 1))))
    assert "<" not in text
    assert "&lt;!channel&gt;" in text

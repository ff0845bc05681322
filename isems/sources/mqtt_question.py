"""Whether anything still waits for us in the broker: MQTT has no word for "that was all", but answers come in order."""

from collections.abc import Sequence

from paho.mqtt.client import Client

#: So often in a row must the broker answer without sending a message before it: then nothing waits.
QUIET_ANSWERS = 2


class Question:
    """Asked again and again: when all that came is acknowledged, and the answer is what comes next, nothing waited.

    The question is to unsubscribe from topics, which does no harm where there is nothing to unsubscribe from.
    """

    def __init__(self, topics: Sequence[str]) -> None:
        self.topics = list(topics)
        self._number: int | None = None
        self._came_when_asked = 0
        self._quiet_answers = 0

    @property
    def is_settled(self) -> bool:
        """Whether nothing waits any more."""
        return self._quiet_answers >= QUIET_ANSWERS

    def ask(self, client: Client, came: int, acknowledged: int) -> None:
        """Ask, unless it is settled or asked already, or something that came is still to be acknowledged."""
        if self.is_settled or self._number is not None or acknowledged != came:
            return
        self._came_when_asked = came
        _, self._number = client.unsubscribe(self.topics)

    def take_answer(self, number: int, came: int, acknowledged: int) -> bool:
        """Take an answer of the broker; tells whether it is one to this."""
        if number != self._number:
            return False
        self._number = None
        is_quiet = came == self._came_when_asked == acknowledged
        self._quiet_answers = self._quiet_answers + 1 if is_quiet else 0
        return True

"""paho's client, quicker with what a collector receives nearly always: a message of QoS 1 without properties.

paho builds the table of all properties that MQTT 5 knows for each message, which takes it longer than all else that it
does, and waits for the socket anew after each packet. It also looks for callbacks in a way that leaves a circle of
garbage with each message, which adds up in a process that seldom looks for such. `make bench BENCH="mqtt-50 mqtt-memory"`
shows the difference.
"""

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion

#: Messages that are read before acknowledgements and the rest have their turn.
READ_AT_ONCE = 100
_QOS, _QOS_1, _RETAIN, _DUP = 0x06, 0x02, 0x01, 0x08


class QuickClient(Client):
    """Hands on the same messages as paho's own; whatever is not of the usual kind, that one reads."""

    _messages = 0

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Read as long as there are messages."""
        for _ in range(READ_AT_ONCE):
            before = self._messages
            result = super().loop_read(max_packets)
            if result != MQTTErrorCode.MQTT_ERR_SUCCESS or self._messages == before:
                break
        return result

    def _handle_publish(self) -> MQTTErrorCode:
        self._messages += 1
        flags, packet = self._in_packet["command"], self._in_packet["packet"]
        end = 2 + int.from_bytes(packet[:2], "big")
        # Behind the topic: the message's number, and the length of the properties.
        is_usual = flags & _QOS == _QOS_1 and packet[end + 2 : end + 3] == b"\0"
        if not (is_usual and self._manual_ack and self.protocol is MQTTProtocolVersion.MQTTv5):
            return super()._handle_publish()
        message = MQTTMessage(int.from_bytes(packet[end : end + 2], "big"), bytes(packet[2:end]))
        message.qos = 1
        message.retain = bool(flags & _RETAIN)
        message.dup = bool(flags & _DUP)
        message.payload = bytes(packet[end + 3 :])
        self._handle_on_message(message)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _handle_on_message(self, message: MQTTMessage) -> None:
        if self.on_message is not None:
            with self._in_callback_mutex:
                self.on_message(self, self._userdata, message)

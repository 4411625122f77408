"""A client's verbs about what machines' sensors say."""

from castiron.transport.clients.conversation import Conversation
from castiron.transport.replies import SensorListed
from castiron.transport.verbs import NodeSensorList


class AsyncNodeSensors:
    """Sensors' readings. Not to be made by hand: `client.sensors` is one. Thread: that of its client."""

    def __init__(self, conversation: Conversation, *, timeout_s: float) -> None:
        self._conversation = conversation
        self._timeout_s = timeout_s

    async def list(self, node: str) -> SensorListed:
        """Return a node's sensors as they were read last, and when that was. The BMC is not asked.

        Raises:
            NodeNotFound: there is no such node.
            ReplyTimeout, ConductorLost: nothing was heard.
        """
        return await self._conversation.ask(NodeSensorList(node=node), SensorListed, self._timeout_s)

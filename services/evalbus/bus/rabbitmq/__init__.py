"""The bus on RabbitMQ 3.10 and later."""

from evalbus.bus.rabbitmq.bus import RabbitMQBus
from evalbus.bus.rabbitmq.declare import QueueState

__all__ = ["QueueState", "RabbitMQBus"]

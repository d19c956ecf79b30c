"""The bus on RabbitMQ 3.10 and later."""

from evalbus.bus.rabbitmq.bus import RabbitMQBus

__all__ = ["RabbitMQBus"]

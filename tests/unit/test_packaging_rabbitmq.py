"""The definitions that operators import into RabbitMQ are the topology that the services expect."""

from deploy.rabbitmq.definitions import FILE, as_text


def test_the_committed_definitions_are_those_of_the_topology() -> None:
    assert FILE.read_text() == as_text(), "run: python deploy/rabbitmq/definitions.py"

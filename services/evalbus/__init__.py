"""A self-hosted evaluation service on RabbitMQ and Postgres."""

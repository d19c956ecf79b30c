// Start a benchmark and react to its end; EVALBUS_AMQP_URL says where.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const benchmark = `{"benchmark": {
	"name": "capitals",
	"datasets": [{"name": "two", "rows": [{"said": "Paris", "true": "Paris"}, {"said": "Sydney", "true": "Canberra"}]}],
	"models": [{"name": "recorded", "type": "recorded", "output": "{{ item.said }}"}],
	"metrics": [{"name": "exact-match", "type": "exact-match", "reference": "{{ item.true }}"}]}}`

type event struct {
	Job           *string `json:"job"`
	Status        *string `json:"status"`
	CorrelationID *string `json:"correlation_id"`
	Results       []struct {
		Model, Metric, Score string
		Mean                 *float64
	} `json:"results"`
	Error *struct {
		Message string `json:"message"`
	} `json:"error"`
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	connection, err := amqp.Dial(os.Getenv("EVALBUS_AMQP_URL"))
	if err != nil {
		return err
	}
	defer connection.Close()
	channel, err := connection.Channel()
	if err != nil {
		return err
	}
	events, err := listen(channel)
	if err != nil {
		return err
	}
	ours := fmt.Sprintf("go-%d-%d", os.Getpid(), time.Now().UnixNano())
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err = channel.PublishWithContext(ctx, "evalbus.commands", "benchmark.start", true, false, amqp.Publishing{
		ContentType:   "application/json",
		DeliveryMode:  amqp.Persistent,
		MessageId:     ours,
		CorrelationId: ours,
		Body:          []byte(benchmark),
	})
	if err != nil {
		return err
	}
	return react(ctx, events, ours)
}

// listen comes before starting: an event is told once, to whoever listens at that moment.
func listen(channel *amqp.Channel) (<-chan amqp.Delivery, error) {
	queue, err := channel.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return nil, err
	}
	for _, verb := range []string{"completed", "failed", "cancelled", "rejected"} {
		if err := channel.QueueBind(queue.Name, "benchmark."+verb+".#", "evalbus.events", false, nil); err != nil {
			return nil, err
		}
	}
	return channel.Consume(queue.Name, "", true, true, false, false, nil)
}

func react(ctx context.Context, events <-chan amqp.Delivery, ours string) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case delivery, open := <-events:
			if !open {
				return fmt.Errorf("the connection was lost")
			}
			var told event
			if err := json.Unmarshal(delivery.Body, &told); err != nil {
				return err
			}
			if told.CorrelationID == nil || *told.CorrelationID != ours {
				continue
			}
			if told.Error != nil {
				return fmt.Errorf("%s", told.Error.Message)
			}
			fmt.Println(*told.Job, *told.Status)
			for _, result := range told.Results {
				if result.Mean != nil {
					fmt.Println(result.Model, result.Metric, result.Score, *result.Mean)
				}
			}
			return nil
		}
	}
}

// A client of the order service in Go: it places an order, watches it to its end, reads it again, and learns by field
// what is wrong with another. Its one argument is the service's address.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	orderv1 "ordersaga.example/client/gen/ordersaga/order/v1"
)

func main() {
	connection, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	defer connection.Close()
	orders := orderv1.NewOrderServiceClient(connection)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	wanted := &orderv1.CreateOrderRequest{UserId: 9007199254740993, ProductId: 1, Quantity: 1, Price: 10000}
	placed, err := orders.CreateOrder(ctx, wanted)
	check(err)
	tell("placed", placed.Order)

	updates, err := orders.WatchOrder(ctx, &orderv1.WatchOrderRequest{OrderId: placed.Order.OrderId})
	check(err)
	for {
		update, err := updates.Recv()
		if err == io.EOF {
			break
		}
		check(err)
		tell("watched", update.Order)
	}

	read, err := orders.GetOrder(ctx, &orderv1.GetOrderRequest{OrderId: placed.Order.OrderId})
	check(err)
	tell("read", read.Order)

	wanted.Quantity = 0
	_, err = orders.CreateOrder(ctx, wanted)
	refused := status.Convert(err)
	for _, detail := range refused.Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			for _, violation := range bad.FieldViolations {
				fmt.Printf("refused %d %s: %s\n", refused.Code(), violation.Field, violation.Description)
			}
		}
	}
}

func tell(what string, order *orderv1.Order) {
	fmt.Println(what, order.OrderId, order.UserId, order.Status)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Commands and queries from Go, with generated stubs and what a program in earnest needs.
//
// Usage: circles [COMMAND_ADDRESS [QUERY_ADDRESS]]
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	circlesv1 "circles/v1"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// For a call with all its retries. A call without a deadline may wait for ever.
const deadline = 10 * time.Second

// The connection tries again by itself: as soon as the service asks for it, else after this backoff.
const retries = `{"methodConfig": [{
	"name": [{}],
	"retryPolicy": {
		"maxAttempts": 5,
		"initialBackoff": "0.1s",
		"maxBackoff": "2s",
		"backoffMultiplier": 2,
		"retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]
	}
}]}`

func connect(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(retries))
}

func call[Request, Response any](
	method func(context.Context, Request, ...grpc.CallOption) (Response, error), request Request,
) (Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	return method(ctx, request)
}

// detail finds what a failure says to programs, such as an ErrorInfo.
func detail[Detail any](err error) (found Detail, ok bool) {
	for _, any := range status.Convert(err).Details() {
		if found, ok = any.(Detail); ok {
			break
		}
	}
	return found, ok
}

// A request id makes a command safe to repeat, for the connection's retries as well: a second one
// under the same id changes nothing and gets the answer of the first one.
func requestID() *string {
	return to(uuid.NewString())
}

func to[T any](value T) *T {
	return &value
}

func creation(name string, capacity int32) *circlesv1.CreateCircleRequest {
	return &circlesv1.CreateCircleRequest{Name: name, Capacity: capacity, RequestId: requestID()}
}

// showBadFields shows that every field that breaks a rule is named, for a form to show beside it.
func showBadFields(commands circlesv1.CircleCommandServiceClient) error {
	_, err := call(commands.CreateCircle, creation(" ", 2))
	if status.Code(err) != codes.InvalidArgument {
		return err
	}
	if bad, ok := detail[*errdetails.BadRequest](err); ok {
		for _, violation := range bad.FieldViolations {
			fmt.Printf("invalid %s: %s\n", violation.Field, violation.Description)
		}
	}
	return nil
}

// update changes a circle that is as the caller saw it, or as it has become meanwhile.
func update(commands circlesv1.CircleCommandServiceClient, id string, version, capacity int32) (int64, error) {
	for {
		updated, err := call(commands.UpdateCircle, &circlesv1.UpdateCircleRequest{
			CircleId: id, Version: &version, Capacity: &capacity, RequestId: requestID(),
		})
		if err == nil {
			fmt.Printf("updated: version %d, sequence %d\n", updated.Version, updated.Sequence)
			return updated.Sequence, nil
		}
		info, ok := detail[*errdetails.ErrorInfo](err)
		if status.Code(err) != codes.Aborted || !ok {
			return 0, err
		}
		// Somebody else was faster. A program in earnest reads the circle again here, and decides
		// whether its change still makes sense.
		present, err := strconv.ParseInt(info.Metadata["present_version"], 10, 32)
		if err != nil {
			return 0, err
		}
		version = int32(present)
		fmt.Printf("conflict: the circle has version %d now\n", version)
	}
}

// listAll reads all circles with such a name, and the sequence that a watch goes on from.
func listAll(queries circlesv1.CircleQueryServiceClient, prefix string, minSequence int64) (map[string]*circlesv1.Circle, int64, error) {
	circles := map[string]*circlesv1.Circle{}
	var first *circlesv1.ListCirclesResponse
	request := &circlesv1.ListCirclesRequest{
		PageSize: 2, Filter: &circlesv1.CircleFilter{NamePrefix: prefix}, MinSequence: &minSequence,
	}
	for {
		page, err := call(queries.ListCircles, request)
		if err != nil {
			return nil, 0, err
		}
		var names []string
		for _, circle := range page.Circles {
			circles[circle.CircleId] = circle
			names = append(names, circle.Name)
		}
		fmt.Printf("page: %s\n", strings.Join(names, ", "))
		if first == nil {
			first = page
		}
		if page.NextPageToken == "" {
			// Of the first page: what changed while the others were read is then told again.
			return circles, first.Sequence, nil
		}
		request.PageToken = page.NextPageToken
	}
}

// watch keeps the circles as they become, until a change with the sequence `until`.
//
// After an interruption (UNAVAILABLE, RESOURCE_EXHAUSTED, the deadline) watch again from the last
// sequence received. OUT_OF_RANGE: that is too long ago; list again.
func watch(queries circlesv1.CircleQueryServiceClient, circles map[string]*circlesv1.Circle, from, until int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	messages, err := queries.WatchCircles(ctx, &circlesv1.WatchCirclesRequest{
		FromSequence: &from, CircleIds: slices.Collect(maps.Keys(circles)),
	})
	if err != nil {
		return err
	}
	for {
		message, err := messages.Recv()
		if err != nil {
			return err
		}
		change := message.GetChange()
		if change == nil {
			continue // It tells how far the watch has come.
		}
		if change.Circle != nil {
			circles[change.CircleId] = change.Circle
		} else {
			delete(circles, change.CircleId)
		}
		fmt.Printf("watched: %s, sequence %d, %d circles\n", change.Type, change.Sequence, len(circles))
		if change.Sequence >= until {
			return nil
		}
	}
}

func run(commands circlesv1.CircleCommandServiceClient, queries circlesv1.CircleQueryServiceClient) error {
	prefix := "example " + uuid.NewString()[:8] + " "

	if err := showBadFields(commands); err != nil {
		return err
	}

	request := creation(prefix+"football", 20)
	football, err := call(commands.CreateCircle, request)
	if err != nil {
		return err
	}
	fmt.Printf("created: %s, version %d, sequence %d\n", football.CircleId, football.Version, football.Sequence)
	again, err := call(commands.CreateCircle, request)
	if err != nil {
		return err
	}
	fmt.Printf("again: %s, version %d, sequence %d\n", again.CircleId, again.Version, again.Sequence)
	id := football.CircleId

	if _, err := update(commands, id, 1, 30); err != nil {
		return err
	}
	sequence, err := update(commands, id, 1, 40)
	if err != nil {
		return err
	}

	// With the sequence of a command's answer a query waits until the change is visible.
	read, err := call(queries.GetCircle, &circlesv1.GetCircleRequest{CircleId: id, MinSequence: &sequence})
	if err != nil {
		return err
	}
	fmt.Printf("read: %s, capacity %d, version %d\n", read.Circle.Name, read.Circle.Capacity, read.Circle.Version)

	if _, err := call(commands.CreateCircle, creation(prefix+"baseball", 25)); err != nil {
		return err
	}
	handball, err := call(commands.CreateCircle, creation(prefix+"handball", 15))
	if err != nil {
		return err
	}
	circles, sequence, err := listAll(queries, prefix, handball.Sequence)
	if err != nil {
		return err
	}

	history, err := call(queries.GetCircleHistory, &circlesv1.GetCircleHistoryRequest{CircleId: id})
	if err != nil {
		return err
	}
	for _, entry := range history.Entries {
		fmt.Printf("history: %s, version %d, capacity %d\n", entry.Type, entry.Version, entry.GetCapacityAfter())
	}

	deleted, err := call(commands.DeleteCircle, &circlesv1.DeleteCircleRequest{
		CircleId: handball.CircleId, Version: to(int32(1)), Reason: to("too few members"), RequestId: requestID(),
	})
	if err != nil {
		return err
	}
	return watch(queries, circles, sequence, deleted.Sequence)
}

func main() {
	addresses := []string{"127.0.0.1:50051", "127.0.0.1:50052"}
	copy(addresses, os.Args[1:])
	var connections [2]*grpc.ClientConn
	for i, address := range addresses {
		connection, err := connect(address)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(64)
		}
		defer connection.Close()
		connections[i] = connection
	}
	err := run(circlesv1.NewCircleCommandServiceClient(connections[0]), circlesv1.NewCircleQueryServiceClient(connections[1]))
	if err != nil {
		reason := "no reason"
		if info, ok := detail[*errdetails.ErrorInfo](err); ok {
			reason = info.Reason
		}
		fmt.Fprintf(os.Stderr, "%s (%s): %s\n", status.Code(err), reason, status.Convert(err).Message())
		os.Exit(1)
	}
}

// The program around a function: it serves HTTP on $PORT and passes each request to function.Handle.
//
// It is built inside the function's own module, so that go.mod, go.sum and vendor/ there are what counts.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"handler/function"
)

func main() {
	server := &http.Server{
		Addr:           "127.0.0.1:" + os.Getenv("PORT"),
		Handler:        http.HandlerFunc(serve),
		MaxHeaderBytes: 1 << 20,
	}
	finished := make(chan struct{})
	go func() {
		told := make(chan os.Signal, 1)
		signal.Notify(told, syscall.SIGTERM)
		<-told
		// Shutdown waits for the calls that run; whoever sent the signal decides for how long.
		_ = server.Shutdown(context.Background())
		close(finished)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	<-finished
}

// serve calls the function. A panic costs one call: its trace goes to the log, never into the answer.
func serve(w http.ResponseWriter, r *http.Request) {
	answer := &answer{ResponseWriter: w}
	defer func() {
		raised := recover()
		if raised == nil {
			return
		}
		if raised == http.ErrAbortHandler {
			panic(raised)
		}
		fmt.Fprintf(os.Stderr, "panic: %v\n%s", raised, debug.Stack())
		if answer.begun {
			panic(http.ErrAbortHandler) // an answer that ends early must not look like a whole one
		}
		refuse(w, fmt.Sprintf("%T", raised), r.Header.Get("X-Call-Id"))
	}()
	switch handle := any(function.Handle).(type) {
	case func(http.ResponseWriter, *http.Request):
		handle(answer, r)
	case func([]byte) string: // OpenFaaS's first template for Go
		body, err := io.ReadAll(r.Body)
		if err == nil {
			_, _ = io.WriteString(answer, handle(body))
		}
	default:
		panic(fmt.Sprintf("function.Handle is a %T: write func Handle(w http.ResponseWriter, r *http.Request)", handle))
	}
}

// refuse answers that the function failed, as every language of the platform tells it (RFC 9457).
func refuse(w http.ResponseWriter, kind, callID string) {
	header := w.Header()
	for name := range header {
		delete(header, name)
	}
	header.Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusInternalServerError)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"type":    "urn:dayfly:problem:function_failed",
		"title":   "Internal Server Error",
		"status":  http.StatusInternalServerError,
		"detail":  "the function raised " + kind + "; its log has the traceback",
		"code":    "function_failed",
		"call_id": callID,
	})
}

// answer knows whether something of it has been sent. It can do all that net/http's own can.
type answer struct {
	http.ResponseWriter
	begun bool
}

func (a *answer) WriteHeader(status int) {
	a.begun = a.begun || status >= 200
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(data []byte) (int, error) {
	a.begun = true
	return a.ResponseWriter.Write(data)
}

func (a *answer) ReadFrom(source io.Reader) (int64, error) {
	a.begun = true
	return io.Copy(a.ResponseWriter, source)
}

func (a *answer) Flush() {
	a.begun = true
	a.ResponseWriter.(http.Flusher).Flush()
}

func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	a.begun = true
	return a.ResponseWriter.(http.Hijacker).Hijack()
}

// Unwrap lets http.ResponseController find the rest.
func (a *answer) Unwrap() http.ResponseWriter {
	return a.ResponseWriter
}

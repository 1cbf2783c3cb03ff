package function

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

func Handle(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	first, rest, _ := bytes.Cut(body, []byte("\n"))
	command, argument, _ := strings.Cut(string(first), " ")
	switch command {
	case "echo":
		w.Write(rest)
	case "tell":
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("X-Mark"))
	case "answer":
		w.Header().Set("X-Mark", "seen")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "short and stout")
	case "raise":
		panic(fmt.Errorf("told on purpose"))
	case "log":
		fmt.Printf("to stdout: %s\n", rest)
		fmt.Fprintf(os.Stderr, "to stderr: %s\n", rest)
	case "env":
		fmt.Fprint(w, os.Getenv(argument))
	case "sleep":
		span, _ := time.ParseDuration(argument + "s")
		time.Sleep(span)
		fmt.Fprint(w, "awake")
	}
}

// Package function is called once for each request.
package function

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Handle greets whoever the request names. What is printed, or logged, goes to the log: `dayfly logs`.
func Handle(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "the body ended early", http.StatusBadRequest)
		return
	}
	name := strings.TrimSpace(string(body))
	if name == "" {
		name = "stranger"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "Hello, %s!\n", name)
}

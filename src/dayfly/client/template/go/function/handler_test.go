package function

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// Run with `go test`, in this folder.
func TestGreeting(t *testing.T) {
	for body, want := range map[string]string{"Dayfly\n": "Hello, Dayfly!\n", "": "Hello, stranger!\n"} {
		answer := httptest.NewRecorder()
		Handle(answer, httptest.NewRequest("POST", "/", strings.NewReader(body)))
		if got := answer.Body.String(); got != want {
			t.Errorf("%q was answered with %q, not %q", body, got, want)
		}
	}
}

package function

import (
	"fmt"
	"io/ioutil"
	"net/http"
)

func Handle(w http.ResponseWriter, r *http.Request) {
	var input []byte
	if r.Body != nil {
		defer r.Body.Close()
		input, _ = ioutil.ReadAll(r.Body)
	}
	w.Header().Set("X-Path", r.URL.Path)
	w.WriteHeader(http.StatusAccepted)
	w.Write([]byte("got " + fmt.Sprint(string(input))))
}

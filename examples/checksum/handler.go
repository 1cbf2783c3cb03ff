// Package function tells the checksum of whatever is sent, however large: the body is read as it comes and never held.
//
//	curl -T image.iso $URL/function/checksum
//	curl -T image.iso "$URL/function/checksum?algorithm=md5"
package function

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"log"
	"net/http"
)

var algorithms = map[string]func() hash.Hash{"": sha256.New, "sha256": sha256.New, "sha512": sha512.New, "md5": md5.New}

// Handle answers with the body's length and checksum.
func Handle(w http.ResponseWriter, r *http.Request) {
	algorithm, known := algorithms[r.URL.Query().Get("algorithm")]
	if !known {
		http.Error(w, "algorithm: one of sha256, sha512, md5", http.StatusBadRequest)
		return
	}
	sum := algorithm()
	size, err := io.Copy(sum, r.Body)
	if err != nil {
		log.Printf("the body ended after %d bytes: %v", size, err)
		http.Error(w, "the body ended early", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"bytes": size, "sum": hex.EncodeToString(sum.Sum(nil))})
}

package userfile

import (
	"bytes"
	"crypto/md5"
	"testing"
)

// The MD5 that goes with a PUT is that of the bytes under their mark, wherever the writes fall.
func TestPatchedSum(t *testing.T) {
	content, head := []byte("0123456789"), []byte("abc")
	want := md5.Sum([]byte("abc3456789"))
	for chunk := 1; chunk <= len(content); chunk++ {
		sum := &patchedSum{Hash: md5.New(), head: head}
		for rest := content; len(rest) > 0; rest = rest[min(chunk, len(rest)):] {
			if n, err := sum.Write(rest[:min(chunk, len(rest))]); err != nil || n != min(chunk, len(rest)) {
				t.Fatal(n, err)
			}
		}
		if got := sum.Sum(nil); !bytes.Equal(got, want[:]) {
			t.Errorf("in chunks of %d: %x", chunk, got)
		}
	}
}

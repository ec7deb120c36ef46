package capi

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// Whatever is read, in whatever order, is what the file holds: across blocks, at its end, behind it, and
// after a block was given up.
func TestBlocksAreTheFile(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 512, blockBytes - 1, blockBytes, blockBytes + 1, (keptBlocks + 3) * blockBytes, 20*blockBytes + 77} {
		content := make([]byte, size)
		for i := range content {
			content[i] = byte(random.Uint32())
		}
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		opened, err := blockFS{}.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		file := opened.(*blockFile)
		for range 2000 {
			at := random.IntN(size + blockBytes)
			p := make([]byte, 1+random.IntN(3*blockBytes))
			if _, err := file.Seek(int64(at), io.SeekStart); err != nil {
				t.Fatal(err)
			}
			n, err := io.ReadFull(file, p)
			want := content[min(at, size):min(at+len(p), size)]
			if !bytes.Equal(p[:n], want) || n < len(p) && err == nil {
				t.Fatalf(
					"size %d: %d bytes from %d on: got %d bytes (%v), want %d",
					size,
					len(p),
					at,
					n,
					err,
					len(want),
				)
			}
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestBlockFSNamesWhatIsNotThere(t *testing.T) {
	if _, err := (blockFS{}).Open(filepath.Join(t.TempDir(), "absent")); !os.IsNotExist(err) {
		t.Errorf("error %v", err)
	}
}

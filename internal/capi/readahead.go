package capi

import (
	"io"
	"io/fs"
	"os"

	"modernc.org/sqlite/vfs"
)

// SQLite reads one page at a time, and each is a system call. Files that are read from one end to the other
// are read in blocks of eight pages instead, through modernc's VFS over Go files.
const (
	blockBytes = 32 << 10
	keptBlocks = 8 // tables with pages that lie among each other, and their indexes
)

// readAheadVFS is the name under which that VFS is registered, once and for the life of the process.
var readAheadVFS = func() string {
	name, _, err := vfs.New(blockFS{})
	if err != nil {
		panic("capi: register a VFS: " + err.Error()) // there is no memory for a few hundred bytes
	}
	return name
}()

// maxVFSPath is how long a path modernc's VFS takes, with room for its end.
const maxVFSPath = 500

// blockFS opens any file of the system. SQLite names one only where capi did.
type blockFS struct{}

func (blockFS) Open(name string) (fs.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return &blockFile{File: f}, nil
}

// blockFile is a file that nobody changes, read through its last few blocks.
type blockFile struct {
	*os.File
	offset int64
	blocks [keptBlocks]block
	oldest int
}

type block struct {
	data []byte // as far as the file goes; nil when nothing was read yet
	at   int64
}

// Seek is called with an offset from the beginning before each Read.
func (f *blockFile) Seek(offset int64, _ int) (int64, error) {
	f.offset = offset
	return offset, nil
}

func (f *blockFile) Read(p []byte) (int, error) {
	data, err := f.block(f.offset - f.offset%blockBytes)
	if err != nil {
		return 0, err
	}
	within := int(f.offset % blockBytes)
	if within >= len(data) {
		return 0, io.EOF
	}
	n := copy(p, data[within:])
	f.offset += int64(n)
	return n, nil
}

func (f *blockFile) block(at int64) ([]byte, error) {
	for i := range f.blocks {
		if b := &f.blocks[i]; b.data != nil && b.at == at {
			return b.data, nil
		}
	}
	b := &f.blocks[f.oldest]
	f.oldest = (f.oldest + 1) % keptBlocks
	if b.data == nil {
		b.data = make([]byte, blockBytes)
	}
	n, err := f.ReadAt(b.data[:blockBytes], at)
	b.data, b.at = b.data[:n], at
	if err != nil && err != io.EOF {
		b.at = -1
		return nil, err
	}
	return b.data, nil
}

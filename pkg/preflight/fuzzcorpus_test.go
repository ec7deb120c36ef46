package preflight

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
	"github.com/dbmigrate/dbmigrate/test/corpus"
)

const (
	// fuzzHang bounds one input; the slowest file of the corpus takes 2 s with a fuzzer's counters in SQLite.
	fuzzHang = 3 * time.Minute
	// fuzzMemory bounds the growth of the process in bytes; a corpus file has at most 1.8 MB.
	fuzzMemory = 256 << 20
)

// FuzzCorpus damages real files: each edit of four bytes and a value goes to any place of the file. There are
// as many edits as the fuzzer likes. Whatever comes of it is judged, within bounds of time and memory, and
// what passes can be read and rebuilt to the same digest.
func FuzzCorpus(f *testing.F) {
	names := corpus.Names()
	var files [][]byte
	for i, name := range names {
		content, err := corpus.Read(name)
		if err != nil {
			f.Fatal(err)
		}
		files = append(files, content)
		f.Add(uint8(i), []byte{})
		f.Add(
			uint8(i),
			[]byte("\x00\x00\x00\x12\x01\x00\x00\x00\x64\x05\x00\x00\x01\x00\xff\x00\x00\x08\x00\x00"),
		)
		f.Add(uint8(i), []byte("\x00\x00\x00\x1c\x7f\x00\x00\x10\x05\x0d\x00\x01\x00\x04\x02"))
	}
	f.Fuzz(func(t *testing.T, which uint8, edits []byte) {
		i := int(which) % len(files)
		path := filepath.Join(t.TempDir(), "x.db")
		if err := os.WriteFile(path, damaged(files[i], edits), 0o600); err != nil {
			t.Fatal(err)
		}
		withinBounds(t, func() { judge(t, path) })
	})
}

// damaged applies edits of four bytes of place and one byte of content. A place in the upper half of the
// numbers means the schema's page and those after it, where every byte has consequences.
func damaged(original, edits []byte) []byte {
	content := append([]byte(nil), original...)
	for ; len(edits) >= 5; edits = edits[5:] {
		at := binary.BigEndian.Uint32(edits)
		within := len(content)
		if at >= 1<<31 {
			within = min(within, 8192)
		}
		content[int(at&(1<<31-1))%within] = edits[4]
	}
	return content
}

func judge(t *testing.T, path string) {
	ctx, cancel := context.WithTimeout(context.Background(), fuzzHang/2)
	defer cancel()
	report, err := Check(ctx, path, wire.DefaultLimits)
	if err != nil {
		t.Fatalf("no judgement: %v", err)
	}
	if report.Err() == nil {
		wantRoundTrip(t, ctx, path)
	}
	wantNoHastyRefusal(t, ctx, path, report)
}

// wantNoHastyRefusal: what the first look refuses, the whole file is refused for, too.
func wantNoHastyRefusal(t *testing.T, ctx context.Context, path string, whole sqlitefile.Report) {
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	skimmed := path + ".skimmed"
	defer os.Remove(skimmed)
	read := func(offset, length int64) ([]byte, error) { return content[offset:][:length], nil }
	first, sure, err := FirstLook(ctx, skimmed, int64(len(content)), wire.DefaultLimits, read, JudgeSkimmed)
	if err != nil {
		t.Fatalf("no first look: %v", err)
	}
	if sure && whole.Err() == nil {
		t.Fatalf("refused at first look for %+v, and the whole file is %s", first.Findings, whole.Level)
	}
}

// withinBounds ends the process when run does not end, and fails when it takes too much memory at its peak.
func withinBounds(t *testing.T, run func()) {
	runtime.GC()
	os.WriteFile(
		"/proc/self/clear_refs",
		[]byte("5"),
		0,
	) // begins a new peak at the present size (proc(5)); elsewhere there is no bound
	before := peakMemory(t)
	hung := time.AfterFunc(fuzzHang, func() { panic("an input takes longer than " + fuzzHang.String()) })
	defer hung.Stop()
	run()
	if grown := peakMemory(t) - before; grown > fuzzMemory {
		t.Errorf("the process grew by %d MiB", grown>>20)
	}
}

// peakMemory is the largest resident size in bytes; 0 where the system does not tell.
func peakMemory(t *testing.T) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	return 0
}

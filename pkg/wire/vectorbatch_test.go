package wire_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// rawBatch writes frames without any check, for broken vectors. Each frame is kind, header and payload.
func rawBatch(frames ...[3]string) []byte {
	b := []byte("DMR1")
	for _, f := range frames {
		b = append(b, f[0]...)
		for _, block := range f[1:] {
			b = binary.LittleEndian.AppendUint32(b, uint32(len(block)))
			b = append(b, block...)
		}
	}
	return b
}

func buildBatches(t *testing.T) []batchVector {
	return append(validBatches(t), brokenBatches()...)
}

func validBatches(t *testing.T) []batchVector {
	var out []batchVector
	valid := func(name string, fill func(*wire.Batcher)) {
		var body []byte
		b := wire.NewBatcher(
			wire.DefaultLimits,
			wire.DefaultLimits.BatchBytes,
			func(got []byte, _ int) error {
				body = got
				return nil
			},
		)
		fill(b)
		must(t, b.Flush())
		out = append(
			out,
			batchVector{
				Name:   name,
				Body:   hex.EncodeToString(body),
				Expect: batchWant{Frames: frameWants(t, body)},
			},
		)
	}
	column := func(values ...wire.Value) func(*wire.Batcher) {
		return func(b *wire.Batcher) {
			must(t, b.Table("t", []string{"a"}))
			for _, v := range values {
				must(t, b.Add([]wire.Value{v}))
			}
		}
	}
	var plain, blobs []wire.Value
	for _, v := range shortEdges() {
		if v.Class == wire.Blob {
			blobs = append(blobs, v)
		} else {
			plain = append(plain, v)
		}
	}
	valid("plan v: every class but BLOB", column(plain...))
	valid("plan b: BLOB and NULL", column(append(blobs, wire.NullValue())...))
	valid("plan m: blobs among others", column(shortEdges()...))
	valid("sizes in two bytes", column(wire.TextValue(strings.Repeat("x", 300)), wire.TextValue("y")))
	valid("two tables", func(b *wire.Batcher) {
		must(t, b.Table("games", []string{"rowid", "a", "b", "c", "d"}))
		for i := range 12 {
			must(t, b.Add(generatedRow(i)))
		}
		must(t, b.Table("q\"uo'te ä", []string{"a b", "ü<&>"}))
		must(t, b.Add([]wire.Value{wire.IntValue(1), wire.NullValue()}))
	})
	d := wire.NewBatch(nil)
	d.AppendRow("t", []string{"a", "b", "c", "d", "e"}, 0, generatedRow(1))
	out = append(
		out,
		batchVector{
			Name:   "a row as cells",
			Body:   hex.EncodeToString(d.Bytes()),
			Expect: batchWant{Frames: frameWants(t, d.Bytes())},
		},
	)
	out = append(out, batchVector{Name: "no frame", Body: hex.EncodeToString([]byte("DMR1"))})
	return out
}

func frameWants(t *testing.T, body []byte) []frameWant {
	frames, err := wire.ParseBatch(body, wire.DefaultLimits)
	must(t, err)
	var out []frameWant
	for _, f := range frames {
		want := frameWant{
			Kind:        string(f.Kind),
			FrameHeader: f.FrameHeader,
			Payload:     hex.EncodeToString(f.Payload),
		}
		must(t, f.Decode(func(row []wire.Value) error {
			want.Values = append(want.Values, cloneRow(row))
			return nil
		}))
		out = append(out, want)
	}
	return out
}

func brokenBatches() []batchVector {
	const header, one = `{"table":"t","columns":["a"],"plan":"v","rows":1}`, "\x3b\x2b\x13\x35" // [[5]]
	var out []batchVector
	broken := func(name string, body []byte, level checkedBy) {
		out = append(
			out,
			batchVector{
				Name:   name,
				Body:   hex.EncodeToString(body),
				Expect: batchWant{Error: wire.KindBadBatch},
				Level:  level,
			},
		)
	}
	good := rawBatch([3]string{"J", header, one})
	broken("empty", nil, "")
	broken("another magic", append([]byte("DMX1"), good[4:]...), "")
	for cut := 5; cut < len(good); cut += 7 {
		broken(fmt.Sprintf("cut off at byte %d", cut), good[:cut], "")
	}
	broken("half a frame behind a whole one", append(bytes.Clone(good), 'J'), "")
	huge := bytes.Clone(good)
	binary.LittleEndian.PutUint32(huge[5:], math.MaxUint32)
	broken("a header of 4 GiB", huge, "")
	for _, c := range []struct{ name, kind, header, payload string }{
		{"another kind", "X", header, one},
		{"a header that is no JSON", "J", `{`, one},
		{"a header that is an array", "J", `[]`, one},
		{"no columns", "J", `{"table":"t","columns":[],"plan":"","rows":1}`, one},
		{"102 columns", "J", `{"table":"t","columns":["a"` + strings.Repeat(`,"a"`, 101) + `],"plan":"` + strings.Repeat("v", 102) + `","rows":1}`, one},
		{"a plan that is too short", "J", `{"table":"t","columns":["a","b"],"plan":"v","rows":1}`, one},
		{"a plan of another letter", "J", `{"table":"t","columns":["a"],"plan":"x","rows":1}`, one},
		{"a column that is a number", "J", `{"table":"t","columns":[1],"plan":"v","rows":1}`, one},
		{"rows that are no number", "J", `{"table":"t","columns":["a"],"plan":"v","rows":"1"}`, one},
		{"negative rows", "J", `{"table":"t","columns":["a"],"plan":"v","rows":-1}`, one},
		{"cells with a plan", "D", header, "\x03\x00\x00\x00I5;"},
		{"two rows of cells in one frame", "D", `{"table":"t","columns":["a"],"plan":"","rows":2}`, "\x06\x00\x00\x00I5;I6;"},
		{"cells without their length", "D", `{"table":"t","columns":["a"],"plan":"","rows":1}`, "\x03\x00"},
		{"cells shorter than their length", "D", `{"table":"t","columns":["a"],"plan":"","rows":1}`, "\x09\x00\x00\x00I5;"},
	} {
		broken(c.name, rawBatch([3]string{c.kind, c.header, c.payload}), "")
	}
	for _, c := range []struct{ name, plan, payload string }{
		{"not an array", "v", "\x13\x35"},
		{"bytes behind the array", "v", one + "\x00"},
		{"a row that is no array", "v", "\x1b\x00"},
		{"a row that is too short", "v", "\x1b\x0b"},
		{"a row that is too long", "v", "\x3b\x2b\x00\x00"},
		{"fewer rows than announced", "v", "\x0b"},
		{"more rows than announced", "v", "\x4b\x1b\x00\x1b\x00"},
		{"an element beyond the end", "v", "\x3b\x2b\x23\x35"},
		{"a size that is not the smallest", "v", "\x4b\x3b\xc3\x01\x35"},
		{"a blob in plan v", "v", "\x4b\x3b\x2b\x1a\x78"},
		{"an INTEGER in plan b", "b", one},
		{"a REAL in plan b", "b", "\x5b\x4b\x35\x31\x2e\x30"},
		{"an INTEGER with a leading zero", "v", "\x4b\x3b\x23\x30\x35"},
		{"a REAL that is not the shortest", "v", "\x6b\x5b\x45\x31\x2e\x30\x30"},
		{"a REAL without point and exponent", "v", "\x3b\x2b\x15\x35"},
		{"TEXT with JSON's escapes", "v", "\x3b\x2b\x18\x61"},
		{"an object", "v", "\x2b\x1b\x0c"},
		{"true", "v", "\x2b\x1b\x01"},
		{"an array of two in plan m", "m", "\x6b\x5b\x4b\x1a\x61\x1a\x62"},
		{"an empty array in plan m", "m", "\x2b\x1b\x0b"},
	} {
		broken(
			"payload: "+c.name,
			rawBatch(
				[3]string{"J", `{"table":"t","columns":["a"],"plan":"` + c.plan + `","rows":1}`, c.payload},
			),
			strict,
		)
	}
	broken(
		"no table",
		rawBatch([3]string{"J", `{"table":"","columns":["a"],"plan":"v","rows":1}`, one}),
		strict,
	)
	broken(
		"no rows",
		rawBatch([3]string{"J", `{"table":"t","columns":["a"],"plan":"v","rows":0}`, "\x0b"}),
		strict,
	)
	broken(
		"a member that nobody knows",
		rawBatch([3]string{"J", `{"table":"t","columns":["a"],"plan":"v","rows":1,"x":1}`, one}),
		strict,
	)
	return out
}

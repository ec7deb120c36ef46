package wire_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

var update = flag.Bool("update", false, "rewrite testdata/vectors (go generate)")

const vectorFolder = "testdata/vectors"

// The shapes of the vector files; testdata/vectors/README.md describes them for readers in other languages.
type (
	valueVector struct {
		Name   string          `json:"name"`
		JSON   json.RawMessage `json:"json"`
		Expect struct {
			Error string `json:"error,omitempty"`
			Class string `json:"class,omitempty"`
			Int   string `json:"int,omitempty"`  // decimal
			Bits  string `json:"bits,omitempty"` // of a REAL, 16 hex digits
			Hex   string `json:"hex,omitempty"`  // bytes of TEXT and BLOB
		} `json:"expect"`
	}
	rowsVector struct {
		Name    string    `json:"name"`
		Columns int       `json:"columns"`
		Cells   string    `json:"cells"`
		Reals   string    `json:"reals"`
		Expect  rowsWant  `json:"expect"`
		Level   checkedBy `json:"level,omitempty"`
	}
	rowsWant struct {
		Error string         `json:"error,omitempty"`
		Rows  [][]wire.Value `json:"rows,omitempty"`
	}
	tableVector struct {
		Rows   int         `json:"rows"`
		Expect digestsWant `json:"expect"`
	}
	digestsWant struct {
		Table string `json:"table"`
		Range string `json:"range"`
	}
	schemaVector struct {
		Name   string      `json:"name"`
		Schema wire.Schema `json:"schema"`
		Expect digestWant  `json:"expect"`
	}
	digestWant struct {
		Digest string `json:"digest"`
	}
	databaseVector struct {
		Name   string              `json:"name"`
		Schema string              `json:"schema"`
		Tables []wire.TableDigest  `json:"tables"`
		Expect wire.DatabaseDigest `json:"expect"`
	}
	batchVector struct {
		Name   string    `json:"name"`
		Body   string    `json:"body"`
		Expect batchWant `json:"expect"`
		Level  checkedBy `json:"level,omitempty"`
	}
	batchWant struct {
		Error  string      `json:"error,omitempty"`
		Frames []frameWant `json:"frames,omitempty"`
	}
	frameWant struct {
		Kind string `json:"kind"`
		wire.FrameHeader
		Payload string         `json:"payload"`
		Values  [][]wire.Value `json:"values"`
	}
	pageVector struct {
		Name   string   `json:"name"`
		Body   string   `json:"body"`
		Expect pageWant `json:"expect"`
	}
	pageWant struct {
		Error  string             `json:"error,omitempty"`
		Header *wire.ExportHeader `json:"header,omitempty"`
		Rows   [][]wire.Value     `json:"rows,omitempty"`
	}
	backVector struct {
		Name   string            `json:"name"`
		JSON   string            `json:"json"`
		Expect map[string]string `json:"expect"`
	}
	exportedVector struct {
		Name   string       `json:"name"`
		Body   string       `json:"body"`
		Expect exportedWant `json:"expect"`
	}
	exportedWant struct {
		Error string   `json:"error,omitempty"`
		Head  string   `json:"head,omitempty"`  // the header's JSON
		Pages []string `json:"pages,omitempty"` // each one's bytes
	}
	backFile struct {
		Requests []backVector     `json:"requests"`
		Answers  []exportedVector `json:"answers"`
	}
	queryVector struct {
		Name   string    `json:"name"`
		JSON   string    `json:"json"`
		Expect queryWant `json:"expect"`
	}
	queryWant struct {
		Error  string      `json:"error,omitempty"`
		Value  *wire.Value `json:"value,omitempty"`
		Result string      `json:"result,omitempty"` // the same value as the API answers it
	}
	queryFile struct {
		Parameters []queryVector  `json:"parameters"`
		Results    []resultVector `json:"results"`
	}
	resultVector struct {
		Name   string     `json:"name"`
		Value  wire.Value `json:"value"`
		Expect resultWant `json:"expect"`
	}
	resultWant struct {
		JSON string `json:"json"`
	}
	digestFile struct {
		Schemas   []schemaVector   `json:"schemas"`
		Databases []databaseVector `json:"databases"`
	}
)

// checkedBy says who refuses a broken vector: every reader when it is empty.
type checkedBy string

// strict marks what only the strict reader in Go refuses; another reader may leave it to SQLite.
const strict checkedBy = "strict"

// vectorFiles builds the content of every file.
func vectorFiles(t *testing.T) map[string]any {
	return map[string]any{
		"values.json":  buildValues(t),
		"rows.json":    buildRows(),
		"tables.json":  buildTables(),
		"digests.json": buildDigests(),
		"batches.json": buildBatches(t),
		"pages.json":   buildPages(),
		"back.json":    buildBack(t),
		"forth.json":   buildForth(t),
		"query.json":   buildQuery(t),
	}
}

func TestVectorFilesAreCurrent(t *testing.T) {
	for name, content := range vectorFiles(t) {
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		e.SetIndent("", " ")
		must(t, e.Encode(content))
		path := filepath.Join(vectorFolder, name)
		if *update {
			must(t, os.WriteFile(path, want.Bytes(), 0o644))
			continue
		}
		got, err := os.ReadFile(path)
		must(t, err)
		if !bytes.Equal(got, want.Bytes()) {
			t.Errorf(
				"%s is not what the code gives: run go generate ./pkg/wire and look at what changed",
				name,
			)
		}
	}
}

func readVectors[T any](t testing.TB, name string) T {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(vectorFolder, name))
	must(t, err)
	var out T
	must(t, json.Unmarshal(data, &out))
	return out
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	must(t, err)
	return b
}

// generatedRow is row i (from 0) of the table that README.md describes.
func generatedRow(i int) []wire.Value {
	name := "row " + itoa(i)
	if i%10 == 0 {
		name = "zehn ä " + itoa(i)
	}
	data := wire.NullValue()
	if i%3 != 0 {
		data = wire.BlobValue(bytes.Repeat([]byte{byte(i)}, i%20))
	}
	return []wire.Value{
		wire.IntValue(int64(i + 1)),
		wire.IntValue(int64(i*i*7919%1_000_003 - 500_000)),
		wire.RealValue(float64(i-1000) / 7),
		wire.TextValue(name),
		data,
	}
}

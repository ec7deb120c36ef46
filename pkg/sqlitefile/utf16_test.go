package sqlitefile

import (
	"context"
	"os"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

func TestUTF16Conversion(t *testing.T) {
	for name, c := range map[string]struct {
		utf16 string // big-endian
		utf8  string
		valid bool
	}{
		"empty":               {"", "", true},
		"plain":               {"\x00a\x00\x00", "a\x00", true},
		"astral":              {"\xd8\x35\xdd\x4a", "𝕊", true},
		"noncharacters":       {"\xff\xfe\xff\xff\xfe\xff", "\ufffe\uffff\ufeff", true},
		"replacement":         {"\xff\xfd", "\ufffd", true},
		"high surrogate":      {"\xd8\x00\x00a", "", false},
		"high surrogate last": {"\xd8\x00", "", false},
		"low surrogate":       {"\xdc\x00\x00a", "", false},
		"wrong order":         {"\xdc\x00\xd8\x00", "", false},
		"odd length":          {"\x00a\x00", "", false},
	} {
		for _, encoding := range []string{UTF16be, UTF16le} {
			in := []byte(c.utf16)
			if encoding == UTF16le {
				for i := 0; i+1 < len(in); i += 2 {
					in[i], in[i+1] = in[i+1], in[i]
				}
			}
			got, err := appendUTF8(nil, in, orderOf(encoding))
			if (err == nil) != c.valid || err == nil && string(got) != c.utf8 {
				t.Errorf("%s: %q, %v", name, got, err)
			}
			if !c.valid {
				continue
			}
			back, err := appendUTF16(nil, got, orderOf(encoding))
			if err != nil || string(back) != string(in) {
				t.Errorf("%s: came back as %x, %v", name, back, err)
			}
		}
	}
	for _, invalid := range []string{"\xff", "\xed\xa0\x80", "\xc0\x80", "a\xe2\x82"} {
		if out, err := appendUTF16(nil, []byte(invalid), orderOf(UTF16le)); err == nil {
			t.Errorf("%q became %x", invalid, out)
		}
	}
}

func FuzzUTF16(f *testing.F) {
	f.Add([]byte("\x00a\xd8\x35\xdd\x4a"))
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, encoding := range []string{UTF16be, UTF16le} {
			out, err := appendUTF8(nil, in, orderOf(encoding))
			if err != nil {
				continue
			}
			back, err := appendUTF16(nil, out, orderOf(encoding))
			if err != nil || string(back) != string(in) {
				t.Fatalf("%x came back as %x, %v", in, back, err)
			}
		}
	})
}

func makeUTF16(t *testing.T, statements ...string) string {
	return makeFile(t, append([]string{"PRAGMA encoding='UTF-16le'"}, statements...)...)
}

// Keys come in the order of the Durable Object, not in that of the file: U+FFEE lies before U+1D54A in UTF-8,
// behind it in UTF-16.
func TestUTF16KeysComeInTheOtherSidesOrder(t *testing.T) {
	path := makeUTF16(
		t,
		"CREATE TABLE t(k TEXT PRIMARY KEY) WITHOUT ROWID",
		"INSERT INTO t VALUES('𝕊'), ('\uffee'), ('a')",
	)
	f := openFile(t, path)
	var got []string
	if err := f.Rows(context.Background(), &f.Tables()[0], nil, func(row []wire.Value) error {
		got = append(got, string(row[0].Bytes))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0] != "a" || got[1] != "\uffee" || got[2] != "𝕊" {
		t.Errorf("order %q", got)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path + ".utf8"); err == nil {
		t.Error("the copy was left behind")
	}
}

// The copy itself is proven, whatever its SQLite may do with a row.
func TestTheCopyInUTF8IsProven(t *testing.T) {
	path := makeUTF16(t, "CREATE TABLE t(a, g AS (hex(a)) STORED)", "INSERT INTO t(a) VALUES('aé')")
	_, err := openFile(t, path).Digest(t.Context())
	if problems := ProblemsOf(err); len(problems) != 1 || problems[0].Code != ReasonStoredEncoding {
		t.Errorf("%v", err)
	}
}

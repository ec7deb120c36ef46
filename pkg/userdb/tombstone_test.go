package userdb

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	tombstone, err := Tombstone{Lin: 1, Non: 1, User: "u", Receipt: json.RawMessage(`{}`)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		head []byte
		want FileKind
	}{
		{"no bytes", nil, EmptyFile},
		{"a header", testHeader(1, 1), SQLiteFile},
		{"a poisoned header", testHeader(255, 2), SQLiteFile},
		{"half a header", testHeader(1, 1)[:50], UnknownFile},
		{"a tombstone", tombstone, TombstoneFile},
		{"HTML", []byte(strings.Repeat("<!doctype html>", 20)), UnknownFile},
	} {
		if got := Classify(c.head); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestTombstoneRoundTrip(t *testing.T) {
	in := Tombstone{Lin: 4, Non: 8, User: "ünïcode <user>", Receipt: json.RawMessage("{\n \"run\": \"r1\" }")}
	object, err := in.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(object), "\n") != 2 || len(object) < 50 {
		t.Errorf("want two lines and at least 50 bytes: %q", object)
	}
	out, err := ParseTombstone(object)
	if err != nil {
		t.Fatal(err)
	}
	if out.Lin != in.Lin || out.Non != in.Non || out.User != in.User ||
		string(out.Receipt) != `{"run":"r1"}` {
		t.Errorf("came back as %+v with receipt %s", out, out.Receipt)
	}
}

func TestTombstoneRefuses(t *testing.T) {
	for name, object := range map[string]string{
		"another version":  "dbmigrate tombstone 2\n{\"lin\":1,\"non\":1,\"user\":\"u\",\"receipt\":{}}\n",
		"cut off":          tombstoneMagic + `{"lin":1,"non":1,"user":"u","receipt":{}}`,
		"no JSON":          tombstoneMagic + "hello\n",
		"two values":       tombstoneMagic + `{"lin":1,"non":1,"user":"u","receipt":{}}{}` + "\n",
		"no lineage":       tombstoneMagic + `{"non":1,"user":"u","receipt":{}}` + "\n",
		"claim too large":  tombstoneMagic + `{"lin":4294967296,"non":1,"user":"u","receipt":{}}` + "\n",
		"no user":          tombstoneMagic + `{"lin":1,"non":1,"receipt":{}}` + "\n",
		"no receipt":       tombstoneMagic + `{"lin":1,"non":1,"user":"u"}` + "\n",
		"receipt is null":  tombstoneMagic + `{"lin":1,"non":1,"user":"u","receipt":null}` + "\n",
		"receipt is array": tombstoneMagic + `{"lin":1,"non":1,"user":"u","receipt":[]}` + "\n",
	} {
		if out, err := ParseTombstone([]byte(object)); err == nil {
			t.Errorf("%s: %+v, want an error", name, out)
		}
	}
	for name, in := range map[string]Tombstone{
		"no claim":   {User: "u", Receipt: json.RawMessage(`{}`)},
		"bad user":   {Lin: 1, Non: 1, User: "a/b", Receipt: json.RawMessage(`{}`)},
		"no receipt": {Lin: 1, Non: 1, User: "u"},
	} {
		if object, err := in.Encode(); err == nil {
			t.Errorf("%s: %q, want an error", name, object)
		}
	}
}

func FuzzParseTombstone(f *testing.F) {
	f.Add([]byte(tombstoneMagic + `{"lin":1,"non":1,"user":"u","receipt":{"a":1}}` + "\n"))
	f.Add([]byte(tombstoneMagic))
	f.Fuzz(func(t *testing.T, object []byte) {
		in, err := ParseTombstone(object)
		if err != nil {
			return
		}
		encoded, err := in.Encode()
		if err != nil {
			t.Fatalf("parsed but not encodable: %v", err)
		}
		out, err := ParseTombstone(encoded)
		if err != nil || out.Lin != in.Lin || out.Non != in.Non || out.User != in.User {
			t.Fatalf("came back as %+v, %v", out, err)
		}
	})
}

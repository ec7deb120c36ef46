package userdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

var testRandom = []byte("abcdefghijkl")

// testHeader is a plausible SQLite header with the given write and read version.
func testHeader(write, read byte) []byte {
	head := make([]byte, HeaderBytes)
	copy(head, sqliteMagic)
	binary.BigEndian.PutUint16(head[16:], 4096)
	head[writeVersionAt], head[readVersionAt] = write, read
	copy(head[21:], []byte{64, 32, 32})
	return head
}

func TestFenceIsWrittenAsTheProtocolSays(t *testing.T) {
	fenced, err := WithFence(testHeader(2, 2), 7, 0x01020304, testRandom)
	if err != nil {
		t.Fatal(err)
	}
	want := []byte("DMF1\x00\x00\x00\x07\x01\x02\x03\x04\x02\x02abcdef")
	if got := fenced[72:92]; !bytes.Equal(got, want) {
		t.Errorf("mark is %q, want %q", got, want)
	}
	if fenced[18] != 255 || fenced[19] != 2 {
		t.Errorf("versions are %d and %d, want 255 and 2", fenced[18], fenced[19])
	}
}

func TestSplitFenceIsWrittenAsTheProtocolSays(t *testing.T) {
	fenced, err := WithSplitFence(testHeader(2, 2), 7, 0x01020304, testRandom)
	if err != nil {
		t.Fatal(err)
	}
	want := []byte("DMS1\x00\x00\x00\x07\x01\x02\x03\x04\x02\x02abcdef")
	if got := fenced[72:92]; !bytes.Equal(got, want) || fenced[18] != 255 {
		t.Errorf("mark is %q and the write version %d, want %q and 255", got, fenced[18], want)
	}
	if m := mustParse(t, fenced); m != (Mark{Kind: FenceMark, Split: true, Lin: 7, Non: 0x01020304, Orig18: 2, Orig19: 2}) {
		t.Errorf("read back: %+v", m)
	}
}

func TestStampIsWrittenAsTheProtocolSays(t *testing.T) {
	stamped, err := WithStamp(testHeader(1, 1), 0x0a0b0c0d, testRandom)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := stamped[72:92], []byte("DMU1\x0a\x0b\x0c\x0dabcdefghijkl"); !bytes.Equal(got, want) {
		t.Errorf("mark is %q, want %q", got, want)
	}
}

func TestMarksSurviveAWholeLife(t *testing.T) {
	plain := testHeader(2, 2)
	fenced := mustHead(t)(WithFence(plain, 3, 3, testRandom))
	again := mustHead(t)(WithFence(fenced, 3, 9, testRandom))
	if m := mustParse(t, again); m != (Mark{Kind: FenceMark, Lin: 3, Non: 9, Orig18: 2, Orig19: 2}) {
		t.Errorf("fenced twice: %+v", m)
	}
	stamped := mustHead(t)(WithStamp(again, 12, testRandom))
	if m := mustParse(t, stamped); m != (Mark{Kind: StampMark, Stamp: 12, Orig18: 2, Orig19: 2}) {
		t.Errorf("stamped: %+v", m)
	}
	refenced := mustHead(t)(WithFence(stamped, 15, 15, testRandom))
	for name, head := range map[string][]byte{"fence": again, "stamp": stamped, "fence over stamp": refenced, "none": plain} {
		if got := mustHead(t)(WithoutMark(head)); !bytes.Equal(got, plain) {
			t.Errorf("%s removed: %x, want %x", name, got, plain)
		}
	}
	if !bytes.Equal(plain, testHeader(2, 2)) {
		t.Error("the given header was changed")
	}
}

func TestParseMarkRefuses(t *testing.T) {
	zeroLin := mustHead(t)(WithFence(testHeader(1, 1), 1, 1, testRandom))
	clear(zeroLin[76:80])
	zeroStamp := mustHead(t)(WithStamp(testHeader(1, 1), 1, testRandom))
	clear(zeroStamp[76:80])
	for name, head := range map[string][]byte{
		"nothing": nil, "short": testHeader(1, 1)[:99], "other file": bytes.Repeat([]byte("x"), 100),
		"tombstone": []byte(tombstoneMagic + "{}\n"), "fence of lineage 0": zeroLin, "stamp of claim 0": zeroStamp,
	} {
		if m, err := ParseMark(head); err == nil {
			t.Errorf("%s: %+v, want an error", name, m)
		}
		if _, err := WithFence(head, 1, 1, testRandom); err == nil {
			t.Errorf("%s: was fenced", name)
		}
		if _, err := WithStamp(head, 1, testRandom); err == nil {
			t.Errorf("%s: was stamped", name)
		}
	}
	if _, err := ParseMark(nil); !errors.Is(err, ErrNoHeader) {
		t.Errorf("nothing: %v, want ErrNoHeader", err)
	}
}

func TestMarksOfOneClaimDiffer(t *testing.T) {
	a := mustHead(t)(WithFence(testHeader(1, 1), 1, 1, []byte("aaaaaaaaaaaa")))
	b := mustHead(t)(WithFence(testHeader(1, 1), 1, 1, []byte("bbbbbbbbbbbb")))
	if bytes.Equal(a, b) {
		t.Error("two fences of one claim are equal: a dead command's conditional PUT could match")
	}
}

func FuzzMark(f *testing.F) {
	f.Add(testHeader(1, 1), uint32(1), uint32(2))
	f.Add(testHeader(255, 2), uint32(9), uint32(9))
	f.Fuzz(func(t *testing.T, head []byte, lin, non uint32) {
		before, err := ParseMark(head)
		if err != nil || lin == 0 || non == 0 {
			return
		}
		fenced := mustHead(t)(WithFence(head, Lineage(lin), Nonce(non), testRandom))
		want := Mark{
			Kind:   FenceMark,
			Lin:    Lineage(lin),
			Non:    Nonce(non),
			Orig18: before.Orig18,
			Orig19: before.Orig19,
		}
		if m := mustParse(t, fenced); m != want {
			t.Fatalf("fenced: %+v, want %+v", m, want)
		}
		stamped := mustHead(t)(WithStamp(fenced, Stamp(non), testRandom))
		if stamped[18] != before.Orig18 || stamped[19] != before.Orig19 || len(stamped) != len(head) {
			t.Fatalf("stamping changed the versions or the length")
		}
		for i := range head {
			marked := i >= 72 && i < 92 || i == 18 || i == 19
			if !marked && (fenced[i] != head[i] || stamped[i] != head[i]) {
				t.Fatalf("byte %d was changed", i)
			}
		}
	})
}

func mustHead(t *testing.T) func([]byte, error) []byte {
	return func(head []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return head
	}
}

func mustParse(t *testing.T, head []byte) Mark {
	t.Helper()
	m, err := ParseMark(head)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

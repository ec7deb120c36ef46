package spill

import (
	"cmp"
	"errors"
	"os"
	"slices"
	"testing"
)

type record struct {
	Name  string
	Bytes int64
	Maybe *int64
}

func bySize(a, b record) int {
	return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name, b.Name))
}

// TestSorter: whatever fits into memory, what goes in comes out in order, as often as it is asked for.
func TestSorter(t *testing.T) {
	for _, count := range []int{0, 1, 6, 7, 8, 13, 14, 15, 100} {
		dir := t.TempDir()
		s := New(func() (string, error) { return dir, nil }, bySize)
		s.most = 7
		var want []record
		for i := range count {
			zero := int64(0)
			one := record{Name: string(rune('a' + i%26)), Bytes: int64(i * 37 % 11), Maybe: &zero}
			want = append(want, one)
			if err := s.Add(one); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortStableFunc(want, bySize)
		for range 2 {
			var got []record
			if err := s.Each(func(r record) error { got = append(got, r); return nil }); err != nil {
				t.Fatal(err)
			}
			same := slices.EqualFunc(got, want, func(a, b record) bool {
				return bySize(a, b) == 0 && a.Maybe != nil && *a.Maybe == *b.Maybe
			})
			if !same || s.Len() != count {
				t.Fatalf("%d records: got %v, want %v", count, got, want)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%d records leave %v", count, left)
		}
	}
}

// TestSorterFails: what a reader or the folder says comes back.
func TestSorterFails(t *testing.T) {
	stop, nowhere := errors.New("stop"), errors.New("no folder")
	s := New(func() (string, error) { return "", nowhere }, bySize)
	s.most = 2
	if err := s.Add(record{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Each(func(record) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	if err := s.Add(record{}); !errors.Is(err, nowhere) {
		t.Errorf("got %v", err)
	}
}

package consumers

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// TestTrimmedSQLite: the package's SQLite is the official build, but functions that cannot be called trap.
// What is exported is what the code names, and every other byte is the same.
func TestTrimmedSQLite(t *testing.T) {
	h := newHome(t)
	whole := wasmSections(t, h.tool("@sqlite.org/sqlite-wasm/dist/sqlite3.wasm"))
	trimmed := wasmSections(t, filepath.Join(h.dir, "built/package/wasm/sqlite3.wasm"))
	for id, content := range whole {
		if id == sectionCustom || id == sectionExport || id == sectionCode {
			continue
		}
		if !bytes.Equal(content, trimmed[id]) {
			t.Errorf("section %d is not that of the official build", id)
		}
	}
	if len(trimmed[sectionCustom]) > 0 {
		t.Error("the package's module has custom sections")
	}
	sameOrTrap(t, wasmBodies(t, whole[sectionCode]), wasmBodies(t, trimmed[sectionCode]))
	named := namesInModules(t, filepath.Join(h.dir, "built/package"))
	exported := wasmExports(t, trimmed[sectionExport])
	for name, index := range wasmExports(t, whole[sectionExport]) {
		_, called := slices.BinarySearch(named, name)
		if now, kept := exported[name]; kept != called || kept && now != index {
			t.Errorf("export %s: kept is %v, called is %v", name, kept, called)
		}
	}
	if len(exported) == 0 {
		t.Error("the package's module exports nothing")
	}
}

// namesInModules are the words of all the package's modules, sorted: the modules share some.
func namesInModules(t *testing.T, dir string) (names []string) {
	t.Helper()
	modules, err := filepath.Glob(filepath.Join(dir, "*.js"))
	if err != nil || len(modules) == 0 {
		t.Fatalf("modules in %s: %q, %v", dir, modules, err)
	}
	for _, module := range modules {
		code, err := os.ReadFile(module)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, regexp.MustCompile(`\w+`).FindAllString(string(code), -1)...)
	}
	slices.Sort(names)
	return names
}

// sameOrTrap compares the bodies of all functions. Those that trap were a small part of the code.
func sameOrTrap(t *testing.T, whole, trimmed [][]byte) {
	t.Helper()
	if len(whole) != len(trimmed) {
		t.Fatalf("the official build has %d functions, the package's %d", len(whole), len(trimmed))
	}
	trap := []byte{0, 0x00, 0x0b} // no locals, unreachable, end
	traps, taken, all := 0, 0, 0
	for i := range whole {
		all += len(whole[i])
		if bytes.Equal(whole[i], trimmed[i]) {
			continue
		}
		if !bytes.Equal(trimmed[i], trap) {
			t.Errorf("function %d is neither that of the official build nor a trap", i)
		}
		traps++
		taken += len(whole[i])
	}
	t.Logf("%d of %d functions trap; they had %d of %d bytes", traps, len(whole), taken, all)
	if taken == 0 || taken > all/5 {
		t.Error("so much cannot be without use")
	}
}

const (
	sectionCustom = 0
	sectionExport = 7
	sectionCode   = 10
)

// wasmSections are the sections of a module by number; custom ones one after the other.
func wasmSections(t *testing.T, path string) map[byte][]byte {
	t.Helper()
	module, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sections := map[byte][]byte{}
	for rest := wasmBytes(module[8:]); len(rest) > 0; {
		id := rest[0]
		rest = rest[1:]
		sections[id] = append(sections[id], rest.vector(t)...)
	}
	return sections
}

func wasmBodies(t *testing.T, code wasmBytes) [][]byte {
	t.Helper()
	bodies := make([][]byte, code.number(t))
	for i := range bodies {
		bodies[i] = code.vector(t)
	}
	if len(code) > 0 {
		t.Fatalf("%d bytes behind the functions", len(code))
	}
	return bodies
}

// wasmExports are what a module exports: by name, its kind and number.
func wasmExports(t *testing.T, section wasmBytes) map[string][2]uint64 {
	t.Helper()
	found := map[string][2]uint64{}
	for range section.number(t) {
		name := string(section.vector(t))
		kind := section.number(t)
		found[name] = [2]uint64{kind, section.number(t)}
	}
	return found
}

// wasmBytes are read from their beginning.
type wasmBytes []byte

func (b *wasmBytes) number(t *testing.T) uint64 {
	t.Helper()
	value, length := binary.Uvarint(*b)
	if length <= 0 {
		t.Fatal("a number ends too early")
	}
	*b = (*b)[length:]
	return value
}

// vector is as many bytes as the number before them says.
func (b *wasmBytes) vector(t *testing.T) []byte {
	t.Helper()
	length := b.number(t)
	if length > uint64(len(*b)) {
		t.Fatal("a vector ends too early")
	}
	content := (*b)[:length]
	*b = (*b)[length:]
	return content
}

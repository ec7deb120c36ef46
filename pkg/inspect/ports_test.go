package inspect_test

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// reads are the methods that an Inspector's ports may have. A message to a Durable Object stands beside its
// name in the model.
var reads = map[string]string{
	"Head": "", "Get": "", "GetRange": "", "List": "",
	"Status": "", "Digest": "digest", "FreshDigest": "digest", "Range": "digest", "ExportSchema": "export", "ExportRows": "export",
}

// local are ports to this machine, not to users' data.
var local = []reflect.Type{reflect.TypeFor[userfile.Scratch](), reflect.TypeFor[userfile.Checks]()}

// TestPortsOnlyRead: with ports that have no writing method, "changes nothing" is checked by the compiler.
func TestPortsOnlyRead(t *testing.T) {
	ports := 0
	for _, holder := range []reflect.Type{reflect.TypeFor[inspect.Inspector](), reflect.TypeFor[userfile.Source](), reflect.TypeFor[userfile.Sides]()} {
		for i := range holder.NumField() {
			port := holder.Field(i).Type
			if port.Kind() != reflect.Interface || port == local[0] || port == local[1] {
				continue
			}
			ports++
			for j := range port.NumMethod() {
				if _, ok := reads[port.Method(j).Name]; !ok {
					t.Errorf(
						"%v.%s has a port with %s, which may write",
						holder,
						holder.Field(i).Name,
						port.Method(j).Name,
					)
				}
			}
		}
	}
	if ports != 6 {
		t.Errorf("%d ports were looked at: has a field become something else than an interface?", ports)
	}
}

// TestMessagesLeaveThePhase: by the model, no message that an Inspector sends changes a Durable Object's
// phase.
func TestMessagesLeaveThePhase(t *testing.T) {
	text, err := os.ReadFile("../../docs/cutover/transitions.json")
	if err != nil {
		t.Fatal(err)
	}
	var model map[string]map[string]string
	if err := json.Unmarshal(text, &model); err != nil {
		t.Fatal(err)
	}
	for phase, row := range model {
		for method, message := range reads {
			if message == "" {
				continue
			}
			after, known := row[message]
			if !known || after != phase && after != "refused" {
				t.Errorf("%s: %s leads from %s to %q", method, message, phase, after)
			}
		}
	}
}

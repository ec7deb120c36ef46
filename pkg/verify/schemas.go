package verify

import (
	"fmt"
	"strconv"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Schemas compares what the schema digest covers and names each object that differs, with both CREATE texts.
func Schemas(left, right wire.Schema) []Difference {
	out := headers(left.Header, right.Header)
	others := map[objectID]wire.Object{}
	for _, o := range right.Objects {
		others[idOf(o)] = o
	}
	for _, l := range left.Objects {
		r, ok := others[idOf(l)]
		delete(others, idOf(l))
		if !ok {
			out = append(
				out,
				Difference{Kind: Missing, Object: idOf(l).String(), Left: Shorten(text(l.SQL), 0)},
			)
		} else if l != r {
			out = append(out, objects(l, r))
		}
	}
	for _, r := range right.Objects {
		if _, ok := others[idOf(r)]; ok {
			out = append(
				out,
				Difference{Kind: Extra, Object: idOf(r).String(), Right: Shorten(text(r.SQL), 0)},
			)
		}
	}
	return out
}

type objectID struct{ kind, name string }

func idOf(o wire.Object) objectID { return objectID{o.Type, o.Name} }

func (id objectID) String() string { return fmt.Sprintf("%.20s %.100q", id.kind, id.name) }

// objects describes two objects of one name that are not equal.
func objects(l, r wire.Object) Difference {
	object := idOf(l).String()
	if l.SQL == r.SQL {
		return Difference{
			Schema,
			object,
			fmt.Sprintf("on table %.100q", l.Table),
			fmt.Sprintf("on table %.100q", r.Table),
		}
	}
	left, right := shortenPair(text(l.SQL), text(r.SQL))
	return Difference{Schema, object, left, right}
}

func headers(l, r wire.Header) []Difference {
	var out []Difference
	for _, field := range []struct{ name, left, right string }{
		{"userVersion", strconv.Itoa(int(l.UserVersion)), strconv.Itoa(int(r.UserVersion))},
		{"applicationId", strconv.Itoa(int(l.ApplicationID)), strconv.Itoa(int(r.ApplicationID))},
		{"encoding", l.Encoding, r.Encoding},
		{"pageSize", strconv.Itoa(l.PageSize), strconv.Itoa(r.PageSize)},
		{"autoVacuum", strconv.Itoa(l.AutoVacuum), strconv.Itoa(r.AutoVacuum)},
	} {
		if field.left != field.right {
			out = append(out, Difference{Schema, "header " + field.name, field.left, field.right})
		}
	}
	return out
}

func text(s string) wire.Value { return wire.TextValue(s) }

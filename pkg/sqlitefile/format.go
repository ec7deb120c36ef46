package sqlitefile

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// formatKey shows a key to a person; long values are cut.
func formatKey(key wire.Key) string {
	parts := make([]string, len(key))
	for i := range key {
		parts[i] = formatValue(&key[i])
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func formatValue(v *wire.Value) string {
	const most = 40
	switch v.Class {
	case wire.Integer:
		return strconv.FormatInt(v.Int, 10)
	case wire.Real:
		return strconv.FormatFloat(v.Real, 'g', -1, 64)
	case wire.Text:
		if len(v.Bytes) > most {
			return fmt.Sprintf("%q...", v.Bytes[:most])
		}
		return fmt.Sprintf("%q", v.Bytes)
	case wire.Blob:
		if len(v.Bytes) > most/2 {
			return fmt.Sprintf("x'%x...'", v.Bytes[:most/2])
		}
		return fmt.Sprintf("x'%x'", v.Bytes)
	}
	return "NULL"
}

func className(class wire.StorageClass) string {
	switch class {
	case wire.Integer:
		return "INTEGER"
	case wire.Real:
		return "REAL"
	case wire.Text:
		return "TEXT"
	case wire.Blob:
		return "BLOB"
	}
	return "NULL"
}

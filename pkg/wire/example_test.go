package wire_test

import (
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Rows travel as cells. REALs travel apart, as their eight bytes.
func ExampleAppendRow() {
	cells, reals := wire.AppendRow(
		nil,
		nil,
		[]wire.Value{wire.IntValue(9007199254740993), wire.NullValue(), wire.BlobValue([]byte{0, 255})},
	)
	fmt.Println(len(cells) > 0, len(reals))
	_, err := wire.DecodeRows(cells, reals, 3, func(row []wire.Value) error {
		for _, value := range row {
			json, err := wire.QueryValue(value)
			if err != nil {
				return err
			}
			fmt.Println(string(json))
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// true 0
	// {"int":"9007199254740993"}
	// null
	// {"blob":"AP8="}
	// <nil>
}

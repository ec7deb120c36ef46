package wire

// AddEncoded takes the next row as AppendRow encoded it: exactly one row per call.
func (h *TableHasher) AddEncoded(cells, reals []byte) {
	h.page.cells = append(h.page.cells, cells...)
	h.page.reals = append(h.page.reals, reals...)
	h.countRow()
}

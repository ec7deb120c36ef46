package wire

// The vectors that Go and TypeScript share are written by their own test.
//go:generate go test -count=1 -run ^TestVectorFilesAreCurrent$ . -args -update

package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	for _, url := range os.Args[1:] {
		answer, err := http.Get(url)
		if err != nil {
			fmt.Println("error:", err)
		} else {
			fmt.Println("HTTP/1.1", answer.StatusCode, answer.Proto)
		}
	}
}

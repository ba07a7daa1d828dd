// Go's net/http ServeMux, with the routes that the first argument lists, on a free port of 127.0.0.1, which it prints.
//
// It ends when its standard input is closed. The routes and the response are those of express.mjs.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

type segment struct {
	Literal  string
	Variable string
	Rest     string
}

type route struct {
	Name     string
	Segments []segment
}

func main() {
	var routes []route
	if err := json.Unmarshal([]byte(os.Args[1]), &routes); err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(response http.ResponseWriter, _ *http.Request) {
		io.WriteString(response, "healthy")
	})
	for _, route := range routes {
		pattern := "GET "
		var parameters []string
		for _, segment := range route.Segments {
			switch {
			case segment.Rest != "":
				pattern += "/{" + segment.Rest + "...}"
				if segment.Rest != "rest" {
					parameters = append(parameters, segment.Rest)
				}
			case segment.Variable != "":
				pattern += "/{" + segment.Variable + "}"
				parameters = append(parameters, segment.Variable)
			default:
				pattern += "/" + segment.Literal
			}
		}
		mux.HandleFunc(pattern, func(response http.ResponseWriter, request *http.Request) {
			response.Header().Set("Content-Type", "application/octet-stream")
			fmt.Fprintf(response, "%s\n", route.Name)
			for _, parameter := range parameters {
				fmt.Fprintf(response, "%s=%s\n", parameter, request.PathValue(parameter))
			}
		})
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("port %d\n", listener.Addr().(*net.TCPAddr).Port)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	panic(http.Serve(listener, mux))
}

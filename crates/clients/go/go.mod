module circles

go 1.23

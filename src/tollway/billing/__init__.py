"""What a request costs and who pays: holds, postings, prices times usage. Pure, but for the store protocol."""

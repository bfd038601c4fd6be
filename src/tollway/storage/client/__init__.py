"""The files of the client: configuration, credentials, and the lists of models it keeps."""

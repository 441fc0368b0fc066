"""What a person looks at: the funnel of a campaign as a table, a picture and a page."""

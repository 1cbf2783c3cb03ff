"""A FastAPI application. Nothing here knows of Dayfly."""

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

app = FastAPI(title="Bookshop")


class Book(BaseModel):
    title: str
    author: str
    price: float


books = {
    "1984": Book(title="Nineteen Eighty-Four", author="George Orwell", price=9.5),
    "emma": Book(title="Emma", author="Jane Austen", price=7.0),
}


@app.get("/books")
async def all_books() -> dict[str, Book]:
    """List the books."""
    return books


@app.get("/books/{key}")
async def one_book(key: str) -> Book:
    """Show one book."""
    if key not in books:
        raise HTTPException(404, "we do not have it")
    return books[key]


@app.put("/books/{key}", status_code=201)
async def add_book(key: str, book: Book) -> Book:
    """Add a book or change it."""
    books[key] = book
    return book

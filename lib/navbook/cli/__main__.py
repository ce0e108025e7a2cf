from navbook.cli import main

main()
